//! What `packager repo` takes from the command line.

use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum RepoCommand {
    /// Make metadata for all packages below a folder
    Create {
        /// Folder of the repository
        folder: PathBuf,
        #[command(flatten)]
        options: MetadataOptions,
    },
    /// Bring metadata up to date; packages with the same place, size and time are not read again
    Update {
        /// Folder of the repository
        folder: PathBuf,
        #[command(flatten)]
        options: MetadataOptions,
    },
    /// Add packages to metadata; the others need not be there
    Add {
        /// Folder with `repodata/`
        folder: PathBuf,
        /// Package files
        #[arg(required = true, value_name = "RPM")]
        packages: Vec<PathBuf>,
        /// Where in the repository packages are listed that lie outside of it
        #[arg(long, value_name = "PATH", default_value = "")]
        prefix: String,
        #[command(flatten)]
        options: MetadataOptions,
    },
    /// Remove packages from metadata; none needs to be there
    Remove {
        /// Folder with `repodata/`
        folder: PathBuf,
        /// Locations, file names, names or NEVRAs
        #[arg(required = true, value_name = "PKG")]
        packages: Vec<String>,
        #[command(flatten)]
        options: MetadataOptions,
    },
    /// Remove old versions, never what a package that stays requires
    Prune(PruneOptions),
    /// Show which packages came, went or were rebuilt from one repository to another
    Diff {
        /// Folder with `repodata/`, or the address of one
        #[arg(value_name = "DIR|URL")]
        first: String,
        /// The other
        #[arg(value_name = "DIR|URL")]
        second: String,
    },
    /// Add other metadata, such as groups, advisories or a product certificate, in place of what there is of its type
    Attach(AttachOptions),
    /// Remove other metadata
    Detach {
        /// Folder with `repodata/`
        folder: PathBuf,
        /// Its type, such as `updateinfo`
        #[arg(value_name = "NAME")]
        kind: String,
        #[command(flatten)]
        stamp: Stamp,
    },
    /// Bring a repository to where hosts take it from; they see the old one or the new one, also when this is killed
    Publish(PublishOptions),
    /// Put what was built for several targets into one folder, with pages and `.repo` files
    Site(SiteOptions),
    /// Check signatures, every package, and whether what packages require is there
    Verify(VerifyOptions),
    /// Serve a folder over HTTP, until it is stopped
    Serve(ServeOptions),
    /// Show what metadata says
    Info {
        /// Folder with `repodata/`
        folder: PathBuf,
        /// List the packages
        #[arg(long)]
        packages: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PruneOptions {
    /// Folder with `repodata/`
    pub(crate) folder: PathBuf,
    /// Versions that stay of each name and architecture
    #[arg(long, value_name = "N")]
    pub(crate) keep: NonZeroUsize,
    /// Also keep what was built in the last DAYS days
    #[arg(long, value_name = "DAYS")]
    pub(crate) days: Option<u32>,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave the package files, or they lie elsewhere
    #[arg(long)]
    pub(crate) metadata_only: bool,
    #[command(flatten)]
    pub(crate) options: MetadataOptions,
}

#[derive(Debug, Args)]
pub(crate) struct AttachOptions {
    /// Folder with `repodata/`
    pub(crate) folder: PathBuf,
    /// The file; decompressed first when its name ends in `.gz`, `.zst` or `.xz`
    pub(crate) file: PathBuf,
    /// Type in `repomd.xml`: `group`, `updateinfo`, `productid`, `modules` or another
    #[arg(long = "type", value_name = "NAME")]
    pub(crate) kind: String,
    /// Of the file; as that of the lists, when absent
    #[arg(long, value_enum)]
    pub(crate) compression: Option<Storing>,
    #[command(flatten)]
    pub(crate) stamp: Stamp,
}

/// What changed metadata is marked with.
#[derive(Debug, Args)]
pub(crate) struct Stamp {
    /// Revision and time of the metadata, in seconds since 1970; the revision stays when absent
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    pub(crate) revision: Option<i64>,
    /// Armored OpenPGP secret key that signs the metadata; it is not signed when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) mirror: MirrorOptions,
}

/// Whether hosts may read the metadata through a mirror list.
#[derive(Debug, Args)]
pub(crate) struct MirrorOptions {
    /// Address under which the repository will be served: make `repodata/mirrorlist`, by which hosts never see two publications at once. As it was, when absent
    #[arg(long, value_name = "URL", conflicts_with = "no_mirror_list")]
    pub(crate) mirror_list: Option<String>,
    /// Make no mirror list, also when there was one
    #[arg(long)]
    pub(crate) no_mirror_list: bool,
}

/// What other metadata can be stored as.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Storing {
    /// Every dnf and yum reads it
    Gzip,
    /// Smaller; EL 8, openEuler 22.03 and later read it
    Zstd,
    /// The very bytes of the file
    None,
}

/// How metadata is made.
#[derive(Debug, Args)]
pub(crate) struct MetadataOptions {
    /// Packages that are read at the same time; one per processor when absent
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Of the metadata; as it was, else gzip, when absent
    #[arg(long, value_enum)]
    pub(crate) compression: Option<Compression>,
    /// Revision and times of the metadata, in seconds since 1970; the time of the newest package when absent
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    pub(crate) revision: Option<i64>,
    /// Armored OpenPGP secret key that signs the metadata; it is not signed when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) mirror: MirrorOptions,
}

/// What metadata can be written as.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Compression {
    /// Every dnf and yum reads it
    Gzip,
    /// Smaller; EL 8, openEuler 22.03 and later read it
    Zstd,
}

#[derive(Debug, Args)]
pub(crate) struct PublishOptions {
    /// Folder with `repodata/`, or one above several: each is published, then the rest
    pub(crate) folder: PathBuf,
    /// A folder, `ssh://[USER@]HOST[:PORT]/DIR`, or `s3://BUCKET/PREFIX`
    #[arg(value_name = "DESTINATION")]
    pub(crate) destination: String,
    /// Repositories whose files stay there, for hosts that know the metadata of before
    #[arg(long, value_name = "N", default_value = "2")]
    pub(crate) keep_generations: NonZeroUsize,
    /// Put packages also in place of other ones of the same name, and files in place of those that others put there
    #[arg(long)]
    pub(crate) replace: bool,
    /// Publish metadata that nobody signed
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long to wait for another publisher
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    pub(crate) wait: u64,
    /// How a host is reached
    #[arg(long, value_name = "COMMAND", default_value = "ssh")]
    pub(crate) ssh: String,
    /// Address of the server of buckets; AWS_ENDPOINT_URL, else Amazon's, when absent
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// How long the lock of a bucket is good for when its holder is not heard of
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub(crate) lease: NonZeroU64,
    /// Take no lock in a bucket: for servers that ignore conditions, where nobody else publishes
    #[arg(long)]
    pub(crate) unlocked: bool,
    /// Files that are put into a bucket at the same time
    #[arg(long, value_name = "N", default_value = "4")]
    pub(crate) jobs: NonZeroUsize,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Folder of the repository, or one above several
    pub(crate) folder: PathBuf,
    /// Where to listen: this machine only, unless another address is given; port 0 for any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Certificate in PEM: serve HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Do not show requests
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// A folder with `repodata/`, or the address of one
    #[arg(value_name = "DIR|URL")]
    pub(crate) place: String,
    /// Armored OpenPGP public key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Repositories that hosts have beside it: everything that packages require must be there
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) with: Vec<String>,
    /// A target whose lock says what hosts have beside it
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SiteOptions {
    /// Repositories that `packager build` published, each in a folder with the name of its target
    #[arg(required = true, value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// Folder of the site
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Address under which the site will be served
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: String,
    /// Armored OpenPGP secret key that signed the packages; the development key when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
    /// Let hosts read the metadata through mirror lists: they never see two publications at once. As it was, when absent
    #[arg(long, conflicts_with = "no_mirror_lists")]
    pub(crate) mirror_lists: bool,
    /// Make no mirror lists, also where there were some
    #[arg(long)]
    pub(crate) no_mirror_lists: bool,
}
