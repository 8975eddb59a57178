//! What keeps the rooms and accounts that a subcommand is about.

use std::fmt;
use std::path::{Path, PathBuf};

use super::MISUSED;
#[cfg(feature = "cluster")]
use crate::journal::redis::ClusterAddress;
use crate::options::{ClusterArguments, DataPlace, Exit};

/// What keeps them.
pub(super) enum Place {
    /// This data file.
    File(PathBuf),
    /// The log at this address; so many of its replicas have to have what is done or shown.
    #[cfg(feature = "cluster")]
    Log { address: ClusterAddress, wait_replicas: u32 },
}

impl Place {
    /// The one that is named, or that a server here would have. `otherwise`: what is said where nobody has named any.
    pub fn find(file: Option<&Path>, cluster: &ClusterArguments, otherwise: &str) -> Result<Place, Exit> {
        match DataPlace::find(file, cluster)? {
            None => Err(Exit::misused(otherwise)),
            Some(DataPlace::File(file)) => Ok(Place::File(file)),
            #[cfg(feature = "cluster")]
            Some(DataPlace::Cluster(cluster)) => {
                let address = ClusterAddress::parse(&cluster.url);
                let address = address.map_err(|sentence| Exit::failed(MISUSED, &sentence))?;
                Ok(Place::Log { address, wait_replicas: cluster.wait_replicas })
            }
            #[cfg(not(feature = "cluster"))]
            Some(DataPlace::Cluster(_)) => unreachable!("the options have refused it"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file) => file.display().fmt(formatter),
            #[cfg(feature = "cluster")]
            Place::Log { address, .. } => write!(formatter, "the cluster's log at {address}"),
        }
    }
}
