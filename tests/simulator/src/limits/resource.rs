//! The limits resource.

use serde_json::{Map, Value as Json, json};

use crate::server::OrgState;
use crate::store::World;

/// Name, allowance, and the versions that have the entry: the keys of the REST guide for version 67.0 and of the
/// answer recorded at 42.0. Where the guide names a first version, that rules; the others have it always.
const ENTRIES: [(&str, u64, u16, u16); 56] = [
    ("ActiveScratchOrgs", 40, 42, ANY),
    ("AnalyticsExternalDataSizeMB", 40_960, 52, ANY),
    ("CdpAiInferenceApiMonthlyLimit", 500_000_000, 57, ANY),
    ("ConcurrentAsyncGetReportInstances", 200, 0, ANY),
    ("ConcurrentEinsteinDataInsightsStoryCreation", 5, 52, ANY),
    ("ConcurrentEinsteinDiscoveryStoryCreation", 2, 52, ANY),
    ("ConcurrentSyncReportRuns", 20, 0, ANY),
    ("DailyAnalyticsDataflowJobExecutions", 60, 52, ANY),
    ("DailyAnalyticsUploadedFilesSizeMB", 51_200, 52, ANY),
    ("DailyApiRequests", 0, 0, ANY),
    ("DailyAsyncApexExecutions", 250_000, 0, ANY),
    ("DailyAsyncApexTests", 500, 56, ANY),
    ("DailyBulkApiBatches", 0, 49, ANY),
    ("DailyBulkApiRequests", 0, 0, 48),
    ("DailyBulkV2QueryFileStorageMB", 0, 47, ANY),
    ("DailyBulkV2QueryJobs", 0, 47, ANY),
    ("DailyDeliveredPlatformEvents", 50_000, 53, ANY),
    ("DailyDurableGenericStreamingApiEvents", 10_000, 37, ANY),
    ("DailyDurableStreamingApiEvents", 10_000, 37, ANY),
    ("DailyEinsteinDataInsightsStoryCreation", 1_000, 52, ANY),
    ("DailyEinsteinDiscoveryOptimizationJobRuns", 25, 55, ANY),
    ("DailyEinsteinDiscoveryPredictAPICalls", 50_000, 52, ANY),
    ("DailyEinsteinDiscoveryPredictionsByCDC", 500_000, 52, ANY),
    ("DailyEinsteinDiscoveryStoryCreation", 100, 52, ANY),
    ("DailyFunctionsApiCallLimit", 235_000, 53, ANY),
    ("DailyGenericStreamingApiEvents", 10_000, 0, ANY),
    ("DailyScratchOrgs", 80, 42, ANY),
    ("DailyStandardVolumePlatformEvents", 25_000, 44, ANY),
    ("DailyStreamingApiEvents", 200_000, 0, ANY),
    ("DailyWorkflowEmails", 100_000, 0, ANY),
    ("DataStorageMB", 0, 0, ANY),
    ("DurableStreamingApiConcurrentClients", 1_000, 37, ANY),
    ("FileStorageMB", 10_240, 0, ANY),
    ("HourlyAsyncReportRuns", 1_200, 0, ANY),
    ("HourlyDashboardRefreshes", 200, 0, ANY),
    ("HourlyDashboardResults", 5_000, 0, ANY),
    ("HourlyDashboardStatuses", 999_999_999, 0, ANY),
    ("HourlyLongTermIdMapping", 100_000, 46, ANY),
    ("HourlyManagedContentPublicRequests", 50_000, 50, ANY),
    ("HourlyODataCallout", 20_000, 0, ANY),
    ("HourlyPublishedPlatformEvents", 250_000, 44, ANY),
    ("HourlyPublishedStandardVolumePlatformEvents", 100_000, 44, ANY),
    ("HourlyShortTermIdMapping", 100_000, 46, ANY),
    ("HourlySyncReportRuns", 500, 0, ANY),
    ("HourlyTimeBasedWorkflow", 1_000, 0, ANY),
    ("MassEmail", 5_000, 0, ANY),
    ("MonthlyEinsteinDiscoveryStoryCreation", 500, 52, ANY),
    ("MonthlyPlatformEventsUsageEntitlement", 0, 48, ANY),
    ("Package2VersionCreates", 6, 44, ANY),
    ("Package2VersionCreatesWithoutValidation", 500, 50, ANY),
    ("PermissionSets", 1_500, 46, ANY),
    ("PlatformEventTriggersWithParallelProcessing", 5, 59, ANY),
    ("PrivateConnectOutboundCalloutHourlyLimitMB", 0, 49, ANY),
    ("PublishCallbackUsageInApex", 5_242_880, 55, ANY),
    ("SingleEmail", 5_000, 0, ANY),
    ("StreamingApiConcurrentClients", 2_000, 0, ANY),
];

/// No last version.
const ANY: u16 = u16::MAX;

/// The answer of `limits` at a version (`62.0`). What the simulator does not count is unused.
pub(crate) fn answer(org: &OrgState, version: &str) -> Json {
    let version: u16 = version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(ANY);
    let limits = &org.limits;
    let mut entries = Map::new();
    for (name, max, first, last) in ENTRIES {
        if !(first..=last).contains(&version) {
            continue;
        }
        let entry = match name {
            "DailyApiRequests" => {
                let mut entry = limits.requests.entry();
                for (number, app) in org.org.settings.connected_apps.iter().enumerate() {
                    entry[app.label()] = limits.app_entry(number);
                }
                entry
            }
            "DailyBulkApiBatches" | "DailyBulkApiRequests" => limits.bulk_batches.entry(),
            "DailyBulkV2QueryFileStorageMB" => limits.bulk_storage.entry(),
            "DailyBulkV2QueryJobs" => limits.bulk_jobs.entry(),
            "FileStorageMB" => {
                let (max, used) = (org.org.settings.limits.file_storage_mb, org.now().database.file_bytes());
                json!({"Max": max, "Remaining": max.saturating_sub(used / 1_048_576)})
            }
            "DataStorageMB" => storage(&org.now(), org.org.settings.limits.data_storage_mb),
            "PermissionSets" => {
                json!({"Max": max, "Remaining": max, "CreateCustom": {"Max": 1_000, "Remaining": 1_000}})
            }
            _ => json!({"Max": max, "Remaining": max}),
        };
        entries.insert(name.to_owned(), entry);
    }
    Json::Object(entries)
}

/// What records take: 2 KB each, whatever their size (help page "Data and File Storage Allocations"); those of setup
/// objects, which nobody creates, take nothing.
fn storage(world: &World, max: u64) -> Json {
    let objects = world.schema.objects().iter().enumerate();
    let data = objects.filter(|(_, object)| object.key_prefix.is_some() && object.allows("createable"));
    let records: u64 = data.map(|(number, _)| world.database.table(number).count(false)).sum();
    json!({"Max": max, "Remaining": max.saturating_sub(records * 2 / 1_024)})
}
