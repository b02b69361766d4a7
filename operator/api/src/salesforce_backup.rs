//! `SalesforceBackup`: keeps one org backed up.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Condition, LocalRef, WorkerSpec};
use crate::run_status::RetentionStatus;

/// Which org goes into which vault, when, and how much of it.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "orgkeep.dev",
    version = "v1alpha1",
    kind = "SalesforceBackup",
    namespaced,
    status = "SalesforceBackupStatus",
    derive = "PartialEq",
    shortname = "sfb",
    category = "orgkeep",
    doc = "Keeps one Salesforce org backed up in a vault.",
    cel,
    selectable = ".spec.connectionRef.name",
    selectable = ".spec.vaultRef.name",
    selectable = ".status.phase",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Last snapshot", type_ = "string", json_path = ".status.lastSnapshot"),
    printcolumn(name = "Last success", type_ = "date", json_path = ".status.lastSuccessTime"),
    printcolumn(name = "Next run", type_ = "string", json_path = ".status.nextRunTime"),
    printcolumn(name = "Objects", type_ = "integer", json_path = ".status.objects.total"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connectionRef.name", priority = 1),
    printcolumn(name = "Vault", type_ = "string", json_path = ".spec.vaultRef.name", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must be at most 40 characters of a-z, 0-9 and '-', because the names of Snapshots, Jobs and pods are made from it")
)]
#[serde(rename_all = "camelCase")]
pub struct SalesforceBackupSpec {
    /// A name for people; may be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub display_name: Option<String>,
    /// The org.
    #[x_kube(validation = Rule::new("self == oldSelf").message("connectionRef cannot be changed; make a new SalesforceBackup"))]
    pub connection_ref: LocalRef,
    /// The vault.
    #[x_kube(validation = Rule::new("self == oldSelf").message("vaultRef cannot be changed; make a new SalesforceBackup"))]
    pub vault_ref: LocalRef,
    /// Line of history in the vault. Empty: the line that this object had there, else a new one. Set: adopt a
    /// line that exists (recovery, another cluster); it cannot be changed from then on.
    #[serde(default)]
    #[schemars(length(max = 64), regex(pattern = r"^[-_.a-zA-Z0-9]*$"))]
    #[x_kube(validation = Rule::new("oldSelf == '' || self == oldSelf").message("lineId cannot be changed once it is set; make a new SalesforceBackup"))]
    pub line_id: String,
    /// When to run. Left out: only by `runNow` or by a Snapshot object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Pause the schedule.
    #[serde(default)]
    pub suspend: bool,
    /// Any new token starts one run; echoed in `status.lastRunNow`.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub run_now: String,
    /// What to keep; everything, for ever, when empty.
    #[serde(default)]
    pub retention: Retention,
    /// What to back up; everything by default.
    #[serde(default)]
    pub scope: Scope,
    /// The search index.
    #[serde(default)]
    pub search: Search,
    /// How often the whole key set and the formula fields are read again.
    #[serde(default = "full_every_days")]
    #[schemars(range(min = 1, max = 365))]
    pub full_every_days: i32,
    /// What deleting this object does to the data.
    #[serde(default)]
    pub deletion: Deletion,
    /// The worker pods.
    #[serde(default)]
    pub worker: WorkerSpec,
}

fn full_every_days() -> i32 {
    30
}

/// When to run: a preset, or cron.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.preset) != has(self.cron)").message("exactly one of preset and cron must be given"),
    validation = Rule::new("!has(self.hourUtc) || has(self.preset)").message("hourUtc belongs to preset; with cron, write the hour in the expression"),
    validation = Rule::new("!has(self.timeZone) || has(self.cron)").message("timeZone belongs to cron; presets run at hourUtc")
)]
pub struct Schedule {
    /// A usual rhythm. `Weekly` is on Sunday; `Every3Days` counts from the first run; each is spread by up to
    /// ten minutes per object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Hour of the preset (of its first run in a day), UTC; 2 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 23))]
    pub hour_utc: Option<i32>,
    /// Minute, hour, day of month, month, day of week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 128), regex(pattern = r"^\S+ +\S+ +\S+ +\S+ +\S+$"))]
    pub cron: Option<String>,
    /// IANA name such as `Europe/Berlin`; UTC if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z][-+_/A-Za-z0-9]*$"))]
    pub time_zone: Option<String>,
}

/// Usual rhythms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    /// Once a day.
    Daily,
    /// Every third day from the first run.
    Every3Days,
    /// On Sundays.
    Weekly,
    /// Every eight hours.
    ThreeTimesDaily,
}

/// What to keep. Empty: everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// Keep snapshots for this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_for: Option<KeepFor>,
    /// Keep at least this many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub keep_last: Option<i32>,
    /// Keep some of the older ones, ever more sparsely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generations: Option<Generations>,
}

impl Retention {
    /// Whether everything is kept.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// The rules as they are applied.
    pub fn rules(&self) -> orgkeep_core::retention::Retention {
        use orgkeep_core::retention;
        let many = |number: i32| u32::try_from(number).unwrap_or(0);
        let span = |span: &KeepFor| {
            let days = span.days.map(|days| retention::KeepFor::Days(many(days)));
            let months = || span.months.map(|months| retention::KeepFor::Months(many(months)));
            let years = || span.years.map(|years| retention::KeepFor::Years(many(years)));
            days.or_else(months).or_else(years)
        };
        retention::Retention {
            keep_for: self.keep_for.as_ref().and_then(span),
            keep_last: self.keep_last.map(many),
            generations: self.generations.as_ref().map(|generations| retention::Generations {
                daily: many(generations.daily),
                weekly: many(generations.weekly),
                monthly: many(generations.monthly),
                yearly: many(generations.yearly),
            }),
        }
    }
}

/// The newest snapshot of each of the last so many days, weeks (from Monday), months and years that have one, in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.daily + self.weekly + self.monthly + self.yearly > 0").message("at least one of daily, weekly, monthly and yearly must be more than 0")
)]
pub struct Generations {
    /// Days.
    #[serde(default)]
    #[schemars(range(min = 0, max = 36_500))]
    pub daily: i32,
    /// Weeks.
    #[serde(default)]
    #[schemars(range(min = 0, max = 5200))]
    pub weekly: i32,
    /// Months.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1200))]
    pub monthly: i32,
    /// Years.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub yearly: i32,
}

/// A span of time in one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.days) ? 1 : 0) + (has(self.months) ? 1 : 0) + (has(self.years) ? 1 : 0) == 1").message("exactly one of days, months and years must be given")
)]
pub struct KeepFor {
    /// Days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub days: Option<i32>,
    /// Calendar months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1200))]
    pub months: Option<i32>,
    /// Calendar years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub years: Option<i32>,
}

/// What to back up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Records.
    #[serde(default)]
    pub objects: ObjectScope,
    /// Files and attachments.
    #[serde(default)]
    pub files: FileScope,
    /// Feeds.
    #[serde(default = "yes")]
    pub chatter: bool,
    /// Metadata.
    #[serde(default)]
    pub metadata: MetadataScope,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            objects: ObjectScope::default(),
            files: FileScope::default(),
            chatter: true,
            metadata: MetadataScope::default(),
        }
    }
}

fn yes() -> bool {
    true
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Objects by API name; `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectScope {
    /// Back up these.
    #[serde(default = "everything")]
    #[schemars(
        length(min = 1, max = 800),
        inner(length(min = 1, max = 80), regex(pattern = r"^[*_A-Za-z0-9]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub include: Vec<String>,
    /// But not these.
    #[serde(default)]
    #[schemars(length(max = 800), inner(length(min = 1, max = 80), regex(pattern = r"^[*_A-Za-z0-9]+$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exclude: Vec<String>,
}

impl Default for ObjectScope {
    fn default() -> Self {
        Self { include: everything(), exclude: Vec::new() }
    }
}

/// Files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileScope {
    /// Back up the contents of files.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Files that are larger are named, not copied.
    #[serde(default = "max_size_mib")]
    #[serde(rename = "maxSizeMiB")]
    #[schemars(range(min = 1, max = 2048))]
    pub max_size_mib: i32,
}

impl Default for FileScope {
    fn default() -> Self {
        Self { enabled: true, max_size_mib: max_size_mib() }
    }
}

fn max_size_mib() -> i32 {
    2048
}

/// Metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetadataScope {
    /// Back up metadata.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Metadata types; `*` is all.
    #[serde(default = "everything")]
    #[schemars(
        length(min = 1, max = 500),
        inner(length(min = 1, max = 80), regex(pattern = r"^[*_A-Za-z0-9]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub types: Vec<String>,
}

impl Default for MetadataScope {
    fn default() -> Self {
        Self { enabled: true, types: everything() }
    }
}

/// The search index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// Make snapshots searchable.
    #[serde(default = "yes")]
    pub enabled: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What deleting a SalesforceBackup object does to the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// Keep it, or delete it after a grace.
    #[serde(default)]
    pub policy: DeletionPolicy,
    /// The grace of `Delete`.
    #[serde(default = "grace_period_days")]
    #[schemars(range(min = 0, max = 365))]
    pub grace_period_days: i32,
}

impl Default for Deletion {
    fn default() -> Self {
        Self { policy: DeletionPolicy::default(), grace_period_days: grace_period_days() }
    }
}

fn grace_period_days() -> i32 {
    7
}

/// What becomes of the data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It stays in the vault.
    #[default]
    Retain,
    /// It is deleted after the grace.
    Delete,
}

/// How the org's backups stand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SalesforceBackupStatus {
    /// `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `BackupSucceeded`, `RetentionApplied`, `ScopeCovered`; `Reconciling` and `Stalled` while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Phase of the newest run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub phase: Option<String>,
    /// Name of the newest Snapshot object of this backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub last_snapshot: Option<String>,
    /// Slot of the newest run that the schedule or `runNow` started, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub last_run_time: Option<String>,
    /// When the newest successful run ended, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub last_success_time: Option<String>,
    /// When the schedule is next due, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub next_run_time: Option<String>,
    /// First slot of all: `Every3Days` counts from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub first_run_time: Option<String>,
    /// The token of `spec.runNow` that was last taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub last_run_now: Option<String>,
    /// Line of history in the vault, once a run has committed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub line_id: Option<String>,
    /// Objects of the newest finished run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectsStatus>,
    /// What became of older snapshots when the rules were last applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionStatus>,
}

/// How many objects stand how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectsStatus {
    /// Objects in the snapshot.
    pub total: i64,
    /// Objects that failed or are unproven.
    pub failed: i64,
}
