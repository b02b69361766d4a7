//! The program around the library.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

#[test]
fn it_ends_with_its_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("org.yaml"), "name: Acme\nusers: [{username: a@acme.example}]\n")
        .unwrap();
    std::fs::write(folder.path().join("schema.yaml"), "objects: {}\n").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_orgkeep-simulator"))
        .args(["--listen", "127.0.0.1:0", "--until-stdin-ends", "--org"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let hello: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(hello["orgs"][0]["name"], "Acme");
    assert!(child.try_wait().unwrap().is_none(), "it ended while its standard input is open");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
