//! `orgkeep operator`: the controllers, until SIGTERM.

use std::process::ExitCode;

use orgkeep_controller::Options;

use crate::CommandResult;
use crate::cli::OperatorArgs;

/// Runs the controllers.
pub(crate) async fn run(arguments: OperatorArgs) -> CommandResult {
    let options = Options {
        worker_image: arguments.worker_image,
        image_pull_policy: arguments.image_pull_policy,
        worker_service_account: arguments.worker_service_account,
        watch_namespaces: arguments.watch_namespaces,
        cluster_id: arguments.cluster_id,
        health_address: arguments.health_address,
        leader_election: !arguments.no_leader_election,
        pod_name: arguments.pod_name,
        pod_namespace: arguments.pod_namespace,
    };
    orgkeep_controller::run(options, orgkeep_controller::terminated()).await?;
    Ok(ExitCode::SUCCESS)
}
