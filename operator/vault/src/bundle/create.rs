//! Makes a bundle: an index of what goes in, then each member as it lies in the vault.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use futures::TryStreamExt as _;
use tokio::runtime::Handle;

use super::index::{INDEX, Index, Kind, Member, Need};
use super::{BundleError, Bundled, Result, tar};
use crate::digest::{self, Running};
use crate::error::VaultError;
use crate::keys::envelope::random;
use crate::layout::{self, FORMAT_VERSION, VAULT};
use crate::line::Line;
use crate::manifest::{FileRef, Manifest};
use crate::tree::TreeLists;
use crate::vault::{Vault, now};

/// What goes into a bundle.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only this line.
    pub line: Option<String>,
    /// Only snapshots after this number: the other side has it.
    pub since: Option<u64>,
    /// Only snapshots up to this number.
    pub until: Option<u64>,
}

/// Writes a bundle. The vault must have been opened with a key, which signs it.
///
/// What was written before an error is no bundle, and is refused as one.
pub async fn create<W: Write + Send + 'static>(
    vault: &Vault,
    selection: &Selection,
    mut out: W,
    told: impl Fn(&Bundled) + Send + 'static,
) -> Result<Bundled> {
    if !vault.can_open() {
        let why = "a bundle is signed by the vault's key: open the vault with a key".to_owned();
        return Err(BundleError::OtherVault(why));
    }
    let (mut index, documents) = index(vault, selection).await?;
    let bytes = index.sign(vault.keys())?;
    let (vault, runtime) = (vault.clone(), Handle::current());
    let written = tokio::task::spawn_blocking(move || -> Result<Bundled> {
        let mut done = index.told();
        tar::write_header(&mut out, INDEX, bytes.len() as u64)?;
        out.write_all(&bytes)?;
        tar::pad(&mut out, bytes.len() as u64)?;
        for member in &index.members {
            let file = &member.file;
            tar::write_header(&mut out, &file.path, file.size)?;
            match documents.get(&file.path) {
                Some(bytes) => out.write_all(bytes)?,
                None => copy(&vault, file, &mut out, &runtime)?,
            }
            tar::pad(&mut out, file.size)?;
            done.bytes += file.size;
            done.files += u64::from(member.kind == Kind::File);
            done.snapshots += u64::from(member.kind == Kind::Manifest);
            told(&done);
        }
        tar::end(&mut out)?;
        Ok(done)
    });
    written.await.map_err(|error| BundleError::Internal(error.to_string()))?
}

/// Writes a file of the vault, held against its digest on the way.
fn copy(vault: &Vault, file: &FileRef, out: &mut impl Write, runtime: &Handle) -> Result<()> {
    let (step, mut running) = (vault.storage().step(), Running::new());
    let mut at = 0;
    while at < file.size {
        let bytes =
            runtime.block_on(vault.storage().get_range(&file.path, at..(at + step).min(file.size)))?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        running.update(&bytes);
        out.write_all(&bytes)?;
    }
    if running.finish() != (file.size, file.sha256.clone()) {
        let why = "it is not what the manifest says; verify the vault";
        return Err(VaultError::corrupted(&file.path, why).into());
    }
    Ok(())
}

/// Documents that change, as they were when the index was made.
type Documents = BTreeMap<String, bytes::Bytes>;

fn member(kind: Kind, path: &str, bytes: &[u8]) -> Member {
    let file = FileRef { path: path.to_owned(), size: bytes.len() as u64, sha256: digest::sha256(bytes) };
    Member { kind, file }
}

async fn index(vault: &Vault, selection: &Selection) -> Result<(Index, Documents)> {
    let lines = match &selection.line {
        Some(id) => vec![vault.line(id).await?],
        None => vault.lines().await?,
    };
    if lines.len() > 1 && (selection.since.is_some() || selection.until.is_some()) {
        let why = format!("the vault has {} lines; say of which one the numbers are", lines.len());
        return Err(BundleError::Nothing(why));
    }
    let (mut members, mut needs, mut documents) = (Vec::new(), Vec::new(), Documents::new());
    let storage = vault.storage();
    mutable(vault, VAULT, &mut members, &mut documents).await?;
    for line in &lines {
        let since = selection.since.unwrap_or(0);
        let (mut wanted, mut before) = (Vec::new(), None);
        for seq in line.standing().await? {
            if seq <= since {
                before = Some(seq);
            } else if selection.until.is_none_or(|until| seq <= until) {
                wanted.push(seq);
            }
        }
        if wanted.is_empty() {
            continue;
        }
        for path in layout::documents(line.id()) {
            mutable(vault, &path, &mut members, &mut documents).await?;
        }
        // Files that the other side has: those of the snapshot before, which it must have.
        let (mut known, mut lists) = (BTreeMap::new(), TreeLists::default());
        if let Some(seq) = before {
            let bytes = storage.get(&layout::snapshot(line.id(), seq)).await?;
            let manifest = Manifest::read(&bytes, vault.id(), line.id(), seq, vault.signing_key())?;
            let manifest = vault.redacted(manifest).await?;
            needs.push(Need { line_id: line.id().to_owned(), seq, sha256: digest::sha256(&bytes) });
            known = vault.files_with(&manifest, &mut lists).await?;
            // What an erasure put in the place of other files the other side may not have, whoever rests on it.
            for file in replaced(vault, line, since).await? {
                known.insert(file.path.clone(), file.clone());
                members.push(Member { kind: Kind::File, file });
            }
        } else if since > 0 {
            return Err(BundleError::Nothing(format!("line {} has no snapshot up to {since}", line.id())));
        }
        for seq in wanted {
            let path = layout::snapshot(line.id(), seq);
            let bytes = storage.get(&path).await?;
            let manifest = Manifest::read(&bytes, vault.id(), line.id(), seq, vault.signing_key())?;
            let manifest = vault.redacted(manifest).await?;
            members.push(member(Kind::Manifest, &path, &bytes));
            for (path, file) in vault.files_with(&manifest, &mut lists).await? {
                if known.insert(path, file.clone()).is_none() {
                    members.push(Member { kind: Kind::File, file });
                }
            }
        }
        let there: Vec<String> =
            storage.list(&layout::redactions(line.id())).map_ok(|entry| entry.path).try_collect().await?;
        for path in there {
            let bytes = storage.get(&path).await?;
            members.push(member(Kind::Redaction, &path, &bytes));
        }
        if since > 0 {
            // Snapshots that the other side has may rest on files that only a redaction names.
            let redactions = vault.redactions(line.id()).await?;
            let new =
                redactions.into_iter().flat_map(|redaction| redaction.files).filter_map(|file| file.new);
            let new: BTreeSet<FileRef> = new.collect();
            for seq in line.numbers().await?.into_iter().filter(|seq| !new.is_empty() && *seq <= since) {
                let manifest = line.read_number(seq).await?;
                for (path, file) in vault.files_with(&manifest, &mut lists).await? {
                    if new.contains(&file) && known.insert(path, file.clone()).is_none() {
                        members.push(Member { kind: Kind::File, file });
                    }
                }
            }
        }
    }
    // Stable: files stay in the order of their snapshots, and manifests in that of their numbers.
    members.sort_by(|a, b| {
        let path = |member: &Member| {
            if member.kind == Kind::File { String::new() } else { member.file.path.clone() }
        };
        a.kind.cmp(&b.kind).then_with(|| path(a).cmp(&path(b)))
    });
    if members.iter().all(|member| member.kind != Kind::Manifest) {
        return Err(BundleError::Nothing("no snapshot is chosen".to_owned()));
    }
    let index = Index {
        format_version: FORMAT_VERSION,
        kind: "bundle".to_owned(),
        bundle_id: format!("b-{}", hex::encode(random::<8>()?)),
        vault_id: vault.id().to_owned(),
        signing_key: vault.signing_key().to_owned(),
        created_at: now(),
        written_by: concat!("orgkeep ", env!("CARGO_PKG_VERSION")).to_owned(),
        needs,
        members,
        signature: String::new(),
    };
    Ok((index, documents))
}

/// Files that stand in the place of erased ones, and that snapshots up to a number rest on.
async fn replaced(vault: &Vault, line: &Line, last: u64) -> Result<Vec<FileRef>> {
    let redactions = vault.redactions(line.id()).await?;
    let new: BTreeSet<&str> = redactions
        .iter()
        .flat_map(|redaction| &redaction.files)
        .filter_map(|file| file.new.as_ref().map(|new| new.path.as_str()))
        .collect();
    let mut found = BTreeMap::new();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let mut lists = TreeLists::default();
    for seq in line.standing().await?.into_iter().filter(|seq| *seq <= last) {
        let manifest = vault.redacted(line.read_number(seq).await?).await?;
        let files = vault.files_with(&manifest, &mut lists).await?;
        found.extend(files.into_iter().filter(|(path, _)| new.contains(path.as_str())));
    }
    Ok(found.into_values().collect())
}

/// A document that changes, if it is there, as it is now.
async fn mutable(
    vault: &Vault,
    path: &str,
    members: &mut Vec<Member>,
    documents: &mut Documents,
) -> Result<()> {
    if let Some((bytes, _)) = vault.storage().read_mutable(path).await? {
        members.push(member(Kind::Document, path, &bytes));
        documents.insert(path.to_owned(), bytes);
    }
    Ok(())
}
