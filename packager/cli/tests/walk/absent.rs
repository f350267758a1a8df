//! A repository of thousands of packages, none of which is at hand: what is added, removed and pruned leaves the bytes that `create`
//! writes over the same packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rpm::{BuildConfig, CompressionType, Dependency, PackageBuilder};
use tempfile::TempDir;

use crate::generated;
use crate::repositories::{packager, value};

/// Packages of the repository.
const PACKAGES: usize = 2000;

/// Folders that they lie in, so that file names and locations are in different orders.
const FOLDERS: [&str; 3] = ["", "Packages", "deep/er"];

/// Writes a package below a folder; each has a time of its own.
fn put(package: &rpm::Package, folder: &Path, number: usize) -> String {
    fs::create_dir_all(folder).expect("made");
    package.write_to(folder).expect("written");
    let name = package.metadata.get_nevra().expect("a name").nvra() + ".rpm";
    let file = fs::File::options().write(true).open(folder.join(&name)).expect("it is there");
    let time = Duration::from_secs(1_700_000_000 + u64::try_from(number).expect("small") * 3601);
    file.set_modified(SystemTime::UNIX_EPOCH + time).expect("a time");
    name
}

/// Requires a version that is not the newest.
fn holder() -> rpm::Package {
    let mut holder = PackageBuilder::new("bench-500-holder", "1", "MIT", "x86_64", "Needs what is old");
    holder.using_config(BuildConfig::v4().source_date(1_790_000_000_u32).compression(CompressionType::None));
    holder.requires(Dependency::eq("bench-500(part-3)", "1.0"));
    holder.build().expect("a package")
}

/// Every file of the metadata of a repository, with its bytes.
fn metadata(repo: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(repo.join("repodata")).expect("metadata").map(|entry| entry.expect("an entry"));
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().expect("text"), fs::read(entry.path()).expect("readable")))
        .collect();
    files.sort();
    files
}

/// All packages in `all`, metadata alone in `absent`, and repositories that `create` makes to compare it with.
struct Ground {
    room: TempDir,
    /// Of the packages in the beginning.
    locations: BTreeSet<String>,
}

impl Ground {
    fn new() -> Ground {
        let room = tempfile::tempdir().expect("temporary folder");
        // A third of the names has one version, the others two.
        let numbers = (0..).filter(|number| number / 2 % 3 != 0 || number % 2 == 0).take(PACKAGES);
        let one = |(index, number)| {
            let folder = Path::new(FOLDERS[index % 3]);
            let name = put(&generated::package(number), &room.path().join("all").join(folder), index * 7 % PACKAGES);
            folder.join(name).to_str().expect("text").to_owned()
        };
        let locations = numbers.enumerate().map(one).collect();
        let ground = Ground { room, locations };
        ground.created("first", &ground.locations);
        fs::create_dir(ground.path("absent")).expect("made");
        fs::rename(ground.path("first/repodata"), ground.path("absent/repodata")).expect("moved");
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    /// Where a package lies.
    fn at(&self, nevra: &str) -> &str {
        let file = format!("{nevra}.rpm");
        let found = self.locations.iter().find(|location| location.rsplit('/').next() == Some(&file));
        found.unwrap_or_else(|| panic!("{nevra}"))
    }

    fn packager(&self, arguments: &[&str]) -> serde_json::Value {
        value(&packager(self.room.path(), &[&["--json", "repo"], arguments].concat(), 0))
    }

    /// Puts packages into a new repository, as other names of the same files, and describes all of them.
    fn created(&self, repo: &str, locations: &BTreeSet<String>) {
        for location in locations {
            let to = self.path(repo).join(location);
            fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            fs::hard_link(self.path("all").join(location), to).expect("linked");
        }
        assert_eq!(self.packager(&["create", repo])["packages"], locations.len());
    }

    /// Changes metadata: how many packages it lists now, how many were read, how many went.
    fn change(&self, arguments: &[&str]) -> [usize; 3] {
        let said = self.packager(arguments);
        let outcome = if said["outcome"].is_object() { &said["outcome"] } else { &said };
        assert_eq!(outcome["written"], true, "{outcome}");
        let count = |list: &str| outcome[list].as_array().expect("a list").len();
        [serde_json::from_value(outcome["packages"].clone()).expect("a number"), count("read"), count("removed")]
    }

    /// Holds the metadata against what `create` writes over these packages.
    fn same(&self, repo: &str, locations: &BTreeSet<String>) {
        self.created(repo, locations);
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
        let [ours, whole] = ["absent", repo].map(|repo| metadata(&self.path(repo)));
        assert_eq!(ours.len(), 4, "three lists and repomd.xml");
        assert!(ours == whole, "{repo}: {:?} {:?}", names(&ours), names(&whole));
        assert_eq!(fs::read_dir(self.path("absent")).expect("a folder").count(), 1, "nothing but metadata is there");
    }
}

/// The newest of each name, and the old version that another requires.
fn newest(locations: &BTreeSet<String>) -> BTreeSet<String> {
    let names: BTreeSet<&str> = locations.iter().filter_map(|location| location.rsplit('/').next()).collect();
    let stays = |location: &&String| {
        let name = location.rsplit('/').next().expect("a name");
        let newer = name.replace("-1.0-", "-1.1-");
        newer == name || !names.contains(newer.as_str()) || name == "bench-500-1.0-1.x86_64.rpm"
    };
    locations.iter().filter(stays).cloned().collect()
}

#[test]
fn two_thousand_packages_change_without_being_there() {
    let ground = Ground::new();
    // One more, the newest file of all, in the middle of the list.
    let name = put(&holder(), &ground.path("all/Packages"), 2 * PACKAGES);
    assert_eq!(
        ground.change(&["add", "absent", &format!("all/Packages/{name}"), "--prefix", "Packages"]),
        [2001, 1, 0]
    );
    let mut now = ground.locations.clone();
    now.insert(format!("Packages/{name}"));
    ground.same("added", &now);

    // Three by name, file name and location, of which one has two versions.
    let gone = ["bench-1-1.0-1.x86_64", "bench-1-1.1-1.x86_64", "bench-700-1.0-1.x86_64", "bench-899-1.1-1.x86_64"];
    let words = ["remove", "absent", "bench-1", "bench-700-1.0-1.x86_64.rpm", ground.at(gone[3])];
    assert_eq!(ground.change(&words), [1997, 0, 4]);
    for nevra in gone {
        assert!(now.remove(ground.at(nevra)), "{nevra}");
    }
    ground.same("removed", &now);

    let left = newest(&now);
    assert!(now.len() - left.len() > 600 && now.contains(ground.at("bench-500-1.1-1.x86_64")), "something goes");
    let pruned = [left.len(), 0, now.len() - left.len()];
    assert_eq!(ground.change(&["prune", "absent", "--keep", "1"]), pruned);
    ground.same("pruned", &left);
    // Where the packages are it is the same, and their files go.
    assert_eq!(ground.change(&["prune", "removed", "--keep", "1"]), pruned);
    for _ in 0..2 {
        assert!(metadata(&ground.path("removed")) == metadata(&ground.path("absent")));
        ground.change(&["create", "removed"]);
    }

    // And back again: everything that went comes at once, the one that came goes.
    for folder in FOLDERS {
        let back = ground.locations.iter().filter(|location| !left.contains(*location));
        let back = back.filter(|location| Path::new(location).parent() == Some(Path::new(folder)));
        let files: Vec<String> = back.map(|location| format!("all/{location}")).collect();
        let words = ["add", "absent", "--prefix", folder].into_iter().chain(files.iter().map(String::as_str));
        assert_eq!(ground.change(&words.collect::<Vec<_>>())[1], files.len());
    }
    assert_eq!(ground.change(&["remove", "absent", "bench-500-holder"]), [2000, 0, 1]);
    ground.same("again", &ground.locations);
}
