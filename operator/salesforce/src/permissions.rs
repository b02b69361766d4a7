//! What the user may do of what a backup needs, as far as the org tells.

use orgkeep_core::problem::Reaction;

use crate::client::Client;
use crate::error::Result;
use crate::soql::Select;

/// The user's permissions; `None` where the org does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions {
    /// "API Enabled". Without it nothing else would have answered.
    pub api_enabled: Option<bool>,
    /// "View All Data": without it rows of others are missing.
    pub view_all_data: Option<bool>,
    /// "Query All Files": without it files in private libraries are missing.
    pub query_all_files: Option<bool>,
}

impl Permissions {
    /// Names, as the setup pages show them, of those that the user surely lacks.
    pub fn missing(&self) -> Vec<&'static str> {
        [
            (self.api_enabled, "API Enabled"),
            (self.view_all_data, "View All Data"),
            (self.query_all_files, "Query All Files"),
        ]
        .into_iter()
        .filter(|(held, _)| *held == Some(false))
        .map(|(_, name)| name)
        .collect()
    }
}

const COLUMNS: [&str; 3] = ["PermissionsApiEnabled", "PermissionsViewAllData", "PermissionsQueryAllFiles"];

/// Reads the one row of `UserPermissionAccess`: all columns at once and, as not every version has each, one by
/// one when that is refused.
pub(crate) async fn read(client: &Client) -> Result<Permissions> {
    let held = if let Some(held) = row(client, &COLUMNS).await? {
        held
    } else {
        let mut held = Vec::with_capacity(COLUMNS.len());
        for column in COLUMNS {
            held.push(row(client, &[column]).await?.and_then(|cells| cells.first().copied().flatten()));
        }
        held
    };
    let at = |index: usize| held.get(index).copied().flatten();
    Ok(Permissions { api_enabled: at(0), view_all_data: at(1), query_all_files: at(2) })
}

/// `None` if the org refuses the query: unknown is an answer here, not a failure.
async fn row(client: &Client, columns: &[&str]) -> Result<Option<Vec<Option<bool>>>> {
    match client.query(&Select::new("UserPermissionAccess", columns), false).next_page().await {
        Ok(page) => {
            let row = page.and_then(|page| page.rows.into_iter().next()).unwrap_or_default();
            Ok(Some(row.into_iter().map(|cell| cell.map(|text| text == "true")).collect()))
        }
        Err(error) if error.reaction() == Reaction::GiveUpObject => Ok(None),
        Err(error) => Err(error),
    }
}
