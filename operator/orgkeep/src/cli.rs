//! The command line: arguments and their help, nothing else.

mod views;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::vault::{CollectArgs, EraseArgs, HoldCommand, SearchArgs};
pub(crate) use views::{BundleCommand, CompressionArg, ExportArgs, FormatArg};

/// Backup and recovery of Salesforce orgs.
#[derive(Debug, Parser)]
#[command(name = "orgkeep", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the controllers (in a cluster).
    Operator(OperatorArgs),
    /// Carry out one job description (in a worker pod).
    Worker(WorkerArgs),
    /// Carry out the YAML of a folder in this process, without a cluster.
    Run(RunArgs),
    /// Look into a vault, with nothing but its storage and a key.
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Print the CustomResourceDefinitions.
    Crds,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Options of the operator.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Image of the worker pods.
    #[arg(long, env = "ORGKEEP_WORKER_IMAGE")]
    pub(crate) worker_image: String,
    /// When nodes pull that image.
    #[arg(long, default_value = "IfNotPresent")]
    pub(crate) image_pull_policy: String,
    /// ServiceAccount of worker pods whose backup names none; it needs no permission.
    #[arg(long, default_value = "")]
    pub(crate) worker_service_account: String,
    /// Namespaces to watch, by commas; all when left out.
    #[arg(long, value_delimiter = ',')]
    pub(crate) watch_namespaces: Vec<String>,
    /// What tells this cluster from others in a shared vault; the UID of kube-system when left out.
    #[arg(long)]
    pub(crate) cluster_id: Option<String>,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub(crate) health_address: std::net::SocketAddr,
    /// Run without leader election: only when there is surely one replica.
    #[arg(long)]
    pub(crate) no_leader_election: bool,
    /// Name of this pod, for the lease and for events.
    #[arg(long, env = "POD_NAME", default_value = "orgkeep-operator")]
    pub(crate) pod_name: String,
    /// Namespace of this pod, for the lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub(crate) pod_namespace: String,
}

/// Options of a worker.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The job description.
    #[arg(long)]
    pub(crate) job: PathBuf,
    /// Where the outcome is left for the kubelet.
    #[arg(long, default_value = "/dev/termination-log")]
    pub(crate) termination_log: PathBuf,
}

/// Options of a local run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Folder with the YAML; only files at its top level are read.
    #[arg(short = 'f', long = "filename", value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// How to print what came out.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// Where a vault is and what opens it.
#[derive(Debug, Args)]
pub(crate) struct VaultAccess {
    /// `file:///dir`, `s3://bucket/prefix?endpoint=…&region=…&path_style=true` (with the usual AWS_* variables),
    /// `az://account/container/prefix` (AZURE_*) or `gs://bucket/prefix` (GOOGLE_APPLICATION_CREDENTIALS).
    #[arg(long, value_name = "URL")]
    pub(crate) vault: String,
    /// File with the vault's key (32 bytes as base64), an age identity, or the address of a key of AWS KMS. Not needed
    /// for a vault without encryption,
    /// nor to verify signatures and digests alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Line of history; not needed where the vault has only one.
    #[arg(long)]
    pub(crate) line: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// What can be done with a vault.
#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// List the snapshots.
    Snapshots {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
    },
    /// Show one snapshot: objects, counts, and with --files what they are made of.
    Show {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
        /// Its id, or `latest`.
        #[arg(long, default_value = "latest")]
        snapshot: String,
        /// Only this object.
        #[arg(long)]
        object: Option<String>,
        /// List the files with their digests and, where a key was given, their data keys.
        #[arg(long)]
        files: bool,
    },
    /// Hold every stored file against the signed manifests.
    Verify {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
        /// Only manifests, documents, sizes and names; without it every byte is read.
        #[arg(long, conflicts_with_all = ["rows", "sample", "resume"])]
        quick: bool,
        /// Decode every row, too, and hold it against its hash.
        #[arg(long)]
        rows: bool,
        /// Read only so many percent of the files.
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
        sample: Option<u8>,
        /// Seed that draws the sample; by the clock when left out.
        #[arg(long, requires = "sample")]
        seed: Option<u64>,
        /// File that notes what was read and good; a verification that was interrupted goes on from there.
        #[arg(long, value_name = "FILE")]
        resume: Option<PathBuf>,
        /// Digest that the last manifest must have (`status.manifestDigest` of the Snapshot).
        #[arg(long, value_name = "DIGEST")]
        expect: Option<String>,
    },
    /// Tell which records of an object differ between two snapshots.
    Compare {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
        /// API name of the object.
        #[arg(long)]
        object: String,
        /// Id of the first snapshot.
        #[arg(long)]
        from: String,
        /// Id of the second, or `latest`.
        #[arg(long, default_value = "latest")]
        to: String,
    },
    /// List who can open the vault; needs no key.
    Recipients {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
    },
    /// Change who can open the vault. Only vault.json is written; the root key stays.
    Rekey {
        /// The vault, with a key that opens it.
        #[command(flatten)]
        access: VaultAccess,
        /// File with a key that shall open it, too.
        #[arg(long, value_name = "FILE")]
        add_key_file: Option<PathBuf>,
        /// age public keys that shall open it, too, by commas.
        #[arg(long, value_delimiter = ',', value_name = "age1…")]
        add_recipients: Vec<String>,
        /// Ids of recipients (see `recipients`) that shall not open it any more, by commas.
        #[arg(long, value_delimiter = ',', value_name = "ID")]
        remove: Vec<String>,
    },
    /// Copy the vault to another place, or bring a copy up to date. Needs no key, unless others than now shall open
    /// the copy: what is encrypted stays so, and `rekey` on the copy changes who can open it.
    Copy {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
        /// The other place, written as `--vault` is.
        #[arg(long, value_name = "URL")]
        to: String,
        /// File with a key that alone opens the copy (with --new-recipients: they, too). Needs --key-file.
        #[arg(long, value_name = "FILE", requires = "key_file")]
        new_key_file: Option<PathBuf>,
        /// age public keys that alone open the copy, by commas. Needs --key-file.
        #[arg(long, value_delimiter = ',', value_name = "age1…", requires = "key_file")]
        new_recipients: Vec<String>,
    },
    /// Carry snapshots to a site that no network reaches, in one signed file.
    Bundle {
        /// What to do.
        #[command(subcommand)]
        command: BundleCommand,
    },
    /// Write records to a directory or a bucket for analysts: of a snapshot, or the history of changes.
    Export(ExportArgs),
    /// Find words and phrases in records, metadata and names: of a snapshot, or through all versions.
    Search(SearchArgs),
    /// Retire snapshots that no rule keeps, and delete what was retired a while ago.
    Collect(CollectArgs),
    /// Hold snapshots, whatever the rules say.
    Hold {
        /// What to do.
        #[command(subcommand)]
        command: HoldCommand,
    },
    /// Erase records from all snapshots, or list what leads to them. Which records were erased is told by keyed hashes.
    Erase(EraseArgs),
    /// Build anew what follows from other files of the vault, and tell what is lost.
    Repair {
        /// The vault, with a key that opens it.
        #[command(flatten)]
        access: VaultAccess,
    },
    /// Write the records of one object to standard output.
    Read {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
        /// Id of the snapshot, or `latest`.
        #[arg(long, default_value = "latest")]
        snapshot: String,
        /// API name of the object.
        #[arg(long)]
        object: String,
        /// Fields by commas; all when left out.
        #[arg(long, value_delimiter = ',')]
        fields: Vec<String>,
        /// Form of the records.
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
        /// The most records to write.
        #[arg(long)]
        limit: Option<u64>,
    },
}

/// Forms of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// All values quoted, null and empty both empty, as in Salesforce's Bulk API.
    Csv,
    /// One JSON array.
    Json,
}
