//! `loginUrl: simulator:<directory>[?scale=Object=rows]`: a simulated org for the time of a local run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The simulator's program.
const PROGRAM: &str = "orgkeep-simulator";
/// How long it may take to load an org.
const START: Duration = Duration::from_secs(120);

/// Why there is no simulated org.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulatorError {
    /// The address is not understood.
    #[error("loginUrl {url:?}: {why}; it is simulator:<directory>[?scale=Account=200000[&scale=…]]")]
    Address {
        /// As it stands in the YAML.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// The program cannot be started.
    #[error(
        "{program} cannot be started: {why}; it is looked for beside orgkeep and in PATH (cargo build builds both)"
    )]
    Start {
        /// The program that was tried.
        program: String,
        /// What the system says.
        why: String,
    },
    /// It did not say where it serves.
    #[error("{PROGRAM} said nothing that can be used: {0}")]
    Silent(String),
}

/// Running simulators, one for each distinct address; they end when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Simulators {
    running: BTreeMap<String, (Child, String)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Address {
    directory: PathBuf,
    scales: Vec<String>,
}

#[derive(Deserialize)]
struct Hello {
    orgs: Vec<HelloOrg>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HelloOrg {
    login_url: String,
}

impl Simulators {
    /// The login URL of the org that `url` names, below `folder`; started if it is not running yet.
    pub(crate) async fn login_url(&mut self, url: &str, folder: &Path) -> Result<String, SimulatorError> {
        if let Some((_, login_url)) = self.running.get(url) {
            return Ok(login_url.clone());
        }
        let address = parse(url, folder)?;
        let program = program();
        let mut command = Command::new(&program);
        command.arg("--org").arg(&address.directory).args(["--listen", "127.0.0.1:0"]);
        for scale in &address.scales {
            command.arg("--scale").arg(scale);
        }
        // Its standard input is ours to hold open: it ends with us even if we are killed.
        command.arg("--until-stdin-ends").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| SimulatorError::Start {
            program: program.display().to_string(),
            why: error.to_string(),
        })?;
        let login_url = tokio::time::timeout(START, hello(&mut child))
            .await
            .map_err(|_| SimulatorError::Silent(format!("nothing for {} s", START.as_secs())))??;
        self.running.insert(url.to_owned(), (child, login_url.clone()));
        Ok(login_url)
    }
}

/// Beside this program, else wherever PATH finds it.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| own.canonicalize().ok());
    let beside = beside.and_then(|own| own.parent().map(|folder| folder.join(PROGRAM)));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PROGRAM.into())
}

/// Reads the one line; what follows is read and dropped, so that the program never waits for us.
async fn hello(child: &mut Child) -> Result<String, SimulatorError> {
    let stdout = child.stdout.take().ok_or_else(|| SimulatorError::Silent("it has no output".to_owned()))?;
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next_line().await.map_err(|error| SimulatorError::Silent(error.to_string()))?;
    let line = line.ok_or_else(|| SimulatorError::Silent("it ended; see what it said above".to_owned()))?;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let hello: Hello =
        serde_json::from_str(&line).map_err(|error| SimulatorError::Silent(error.to_string()))?;
    let org = hello.orgs.into_iter().next();
    org.map(|org| org.login_url).ok_or_else(|| SimulatorError::Silent("it serves no org".to_owned()))
}

fn parse(url: &str, folder: &Path) -> Result<Address, SimulatorError> {
    let wrong = |why: String| SimulatorError::Address { url: url.to_owned(), why };
    let rest = url
        .strip_prefix("simulator:")
        .ok_or_else(|| wrong("it does not begin with simulator:".to_owned()))?;
    let (directory, query) = rest.split_once('?').unwrap_or((rest, ""));
    let directory = folder.join(directory);
    if !directory.is_dir() {
        return Err(wrong(format!("{} is not a directory", directory.display())));
    }
    let mut scales = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let scale = pair.strip_prefix("scale=").ok_or_else(|| wrong(format!("{pair:?} is not known")))?;
        let number = scale.split_once('=').and_then(|(_, rows)| rows.parse::<u64>().ok());
        number.ok_or_else(|| wrong(format!("{scale:?} is not Object=rows")))?;
        scales.push(scale.to_owned());
    }
    Ok(Address { directory, scales })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("org")).unwrap();
        let parse = |url: &str| parse(url, folder.path()).map_err(|error| error.to_string());
        assert_eq!(parse("simulator:org").unwrap().scales, Vec::<String>::new());
        let two = parse("simulator:org?scale=Account=200000&scale=Contact=5").unwrap();
        assert_eq!(two.scales, ["Account=200000", "Contact=5"]);
        assert_eq!(two.directory, folder.path().join("org"));
        assert!(parse("simulator:nope").unwrap_err().contains("is not a directory"));
        assert!(parse("simulator:org?scale=Account").unwrap_err().contains("is not Object=rows"));
        assert!(parse("simulator:org?speed=1").unwrap_err().contains("is not known"));
    }
}
