//! The Metadata API: what an org is made of beside its rows, listed, retrieved and deployed.
//!
//! It speaks SOAP, as retrieve has no other form. Answers are small but for the zip of a retrieve, which is taken out
//! of the answer while it comes and written to a file: neither it nor its base64 is ever held whole. Zips are read with
//! suspicion ([`zip`]): a name that leaves the folder, a cut or blown-up archive is a typed error before anything is
//! written.
//!
//! ```text
//! let metadata = client.metadata();
//! let described = metadata.describe().await?;                      // types of the org, with folder and suffix
//! let listed = metadata.list_all(&described, &options).await?;     // every component; folders first
//! let packages = plan(&listed.components, &described, &Plan::default());
//! let report = metadata.retrieve_all(packages, &options, |package| { package.zip ... }).await?;
//! report.bad                                                       // members that no retrieve gave, and why
//!
//! let built = DeployPackage::new("64.0").add("classes/A.cls", bytes) ... .build()?;
//! let result = metadata.deploy(&built, &DeployOptions { check_only: true, .. }, ..).await?;
//! result.failures                                                  // file, line, column, problem
//! ```

mod bisect;
mod call;
mod components;
mod deploy;
mod describe;
mod error;
mod list;
mod many;
mod merge;
mod package;
mod plan;
mod result;
mod retrieve;
mod splitter;
mod standard;
mod zip;

pub use bisect::BadMember;
pub use call::Metadata;
pub use components::{Component, components, deploy_chunks, differences};
pub use deploy::{DeployJob, DeployOptions, TestLevel};
pub use describe::{Described, MetadataType};
pub use error::{MetadataError, MetadataResult};
pub use list::{FileProperties, ListAsk, ListOptions, Listed};
pub use many::{RetrieveMany, RetrieveReport, RetrievedPackage};
pub use merge::{MergeError, is_shaped, merge_shaped};
pub use package::{BuiltPackage, DeployPackage, Members, PackageError, package_xml, read_package_xml};
pub use plan::{Member, PlanLimits, Planned, plan};
pub use result::{ComponentResult, DeployResult, Progress, TestFailure};
pub use retrieve::{Message, Polling, RetrieveOptions, Retrieved};
pub use zip::{PackageZip, ZipError, ZipFile, ZipLimits};
