//! What is known of a target's distribution: the packages of its lock, and what follows from its glibc.
//!
//! An answer is given only when it is sure: a package whose version nobody knows answers no question about versions.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use packager_recipe::Target;

use crate::capability::{Capability, Relation, compare};
use crate::repository::{Answer, Repository};

/// A package of the distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// What is known of its version.
    pub version: Version,
    /// Its repository, when that is known.
    pub repository: Option<String>,
    /// Its source package, when that has another name.
    pub source: Option<String>,
    /// Where it is known from.
    pub from: String,
}

/// What is known of a package's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// `[epoch:]version[-release]`.
    Exact(String),
    /// It is older than this.
    Below(String),
    /// Nothing.
    Unknown,
}

impl Offered {
    /// `libfabric 1.20.0 (everything)`.
    #[must_use]
    pub fn described(&self) -> String {
        let mut text = self.name.clone();
        match &self.version {
            Version::Exact(evr) => text.push_str(&format!(" {evr}")),
            Version::Below(version) => text.push_str(&format!(" below {version}")),
            Version::Unknown => {}
        }
        match (&self.source, &self.repository) {
            (Some(source), Some(repository)) => text.push_str(&format!(" (of {source}, {repository})")),
            (Some(one), None) | (None, Some(one)) => text.push_str(&format!(" ({one})")),
            (None, None) => {}
        }
        text
    }

    /// The version, when it is known.
    #[must_use]
    pub fn evr(&self) -> Option<&str> {
        match &self.version {
            Version::Exact(evr) => Some(evr),
            _ => None,
        }
    }

    /// Whether its version is at least this one; `None` when nobody knows.
    #[must_use]
    pub fn at_least(&self, version: &str) -> Option<bool> {
        match &self.version {
            Version::Exact(evr) => Some(compare(evr, version) != Ordering::Less),
            Version::Below(below) if compare(below, version) != Ordering::Greater => Some(false),
            Version::Below(_) | Version::Unknown => None,
        }
    }
}

/// See the header.
#[derive(Debug, Clone)]
pub struct Distribution {
    name: String,
    title: String,
    packages: Vec<Offered>,
    /// By capability or path: which package, and at which version.
    provides: BTreeMap<String, Vec<(usize, Capability)>>,
    absent: BTreeMap<String, String>,
}

impl Distribution {
    /// Of a target.
    #[must_use]
    pub fn new(target: &Target) -> Distribution {
        let mut distribution = Distribution {
            name: target.name.clone(),
            // What stands in parentheses is for lists of targets.
            title: target.profile.title.split(" (").next().unwrap_or_default().to_owned(),
            packages: Vec::new(),
            provides: BTreeMap::new(),
            absent: BTreeMap::new(),
        };
        for (known, locked) in target.lock.packages(target.arch) {
            let version = match (&locked.evr, &locked.below) {
                (Some(evr), _) => Version::Exact(evr.clone()),
                (None, Some(below)) => Version::Below(below.clone()),
                (None, None) => Version::Unknown,
            };
            let itself = Capability { name: locked.name.clone(), version: own(&version) };
            let texts = locked.provides.iter().chain(&locked.files).map(|text| Capability::parse(text));
            let provides = [itself].into_iter().chain(texts).collect();
            let offered = Offered {
                name: locked.name.clone(),
                version,
                repository: known.repository.clone(),
                source: locked.source.clone(),
                from: known.from.clone(),
            };
            distribution.add(offered, provides);
        }
        for known in &target.lock.known {
            distribution.absent.extend(known.absent.iter().map(|name| (name.clone(), known.from.clone())));
        }
        let glibc = Offered {
            name: "glibc".to_owned(),
            version: Version::Exact(target.profile.glibc.clone()),
            repository: None,
            source: None,
            from: "`glibc:` of the target profile".to_owned(),
        };
        let provides = target.glibc_capabilities().iter().map(|text| Capability::parse(text)).collect();
        distribution.add(glibc, provides);
        distribution
    }

    fn add(&mut self, offered: Offered, provides: Vec<Capability>) {
        let place = self.packages.len();
        self.packages.push(offered);
        for capability in provides {
            self.provides.entry(capability.name.clone()).or_default().push((place, capability));
        }
    }

    /// For people: `openEuler 22.03 LTS`.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Everything that is known to be offered, as rpm writes it, sorted.
    #[must_use]
    pub fn capabilities(&self) -> Vec<String> {
        let all = self.provides.values().flatten().map(|(_, capability)| capability.to_string());
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The package of a name, or else one of a source package of that name.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&Offered> {
        let named = |source: &Offered| source.source.as_deref() == Some(name);
        self.packages
            .iter()
            .find(|package| package.name == name)
            .or_else(|| self.packages.iter().find(|one| named(one)))
    }

    /// Where it is known from that nobody answers to a name, when that is known.
    #[must_use]
    pub fn absent(&self, name: &str) -> Option<&str> {
        self.absent.get(name).map(String::as_str)
    }

    /// The packages that answer to a name at any version, in words; nothing when there are none.
    #[must_use]
    pub fn offers(&self, name: &str) -> Option<String> {
        let places = self.provides.get(name)?;
        let mut texts: Vec<String> = Vec::new();
        for (place, capability) in places {
            let package = &self.packages[*place];
            let mut text = package.described();
            if package.name != name && capability.version.is_some() {
                text.push_str(&format!(", which provides `{capability}`"));
            }
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        Some(texts.join(" and "))
    }
}

fn own(version: &Version) -> Option<(Relation, String)> {
    match version {
        Version::Exact(evr) => Some((Relation::Equal, evr.clone())),
        Version::Below(version) => Some((Relation::Less, version.clone())),
        Version::Unknown => None,
    }
}

/// Whether a capability answers a requirement whatever its version turns out to be.
fn surely(provided: &Capability, requirement: &Capability) -> bool {
    match (&provided.version, &requirement.version) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some((Relation::Less, below)), Some((relation, version))) => {
            matches!(relation, Relation::Less | Relation::LessOrEqual) && compare(below, version) != Ordering::Greater
        }
        _ => provided.satisfies(requirement),
    }
}

impl Repository for Distribution {
    fn name(&self) -> &str {
        &self.name
    }

    fn providers(&self, requirement: &Capability) -> Vec<Answer> {
        let mut found: Vec<Answer> = Vec::new();
        for (place, capability) in self.provides.get(&requirement.name).into_iter().flatten() {
            let package = &self.packages[*place].name;
            if surely(capability, requirement) && !found.iter().any(|answer| answer.package == *package) {
                let (repository, package) = (self.name.clone(), package.clone());
                found.push(Answer { repository, package, capability: capability.clone() });
            }
        }
        found
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use packager_recipe::diagnostic::Page;
    use packager_recipe::target::Profile;
    use packager_recipe::{Lock, Target, TargetName};

    use super::Distribution;
    use crate::capability::Capability;
    use crate::repository::Repository as _;

    /// A distribution with glibc 2.34 and a lock of this text.
    pub(crate) fn distribution(lock: &str) -> Distribution {
        let profile = "title: Test 1\nvendor: Test\ndist: .t1\nglibc: \"2.34\"\nglibcxx: \"3.4.28\"\ncxxabi: \"1.3.12\"\nrpm: \"4.17\"\nbinary-payload: w2.xzdio\nsource-payload: w2.xzdio\n\
                       build-id-links: none\ndebuginfo-subpackages: false\nmodule-hotfixes: false\nimage: example.invalid/x\ncpu: { x86_64: x86-64 }\n";
        let profile = Profile::parse(Page { file: "target.yaml", text: profile }).expect("a profile");
        let name = TargetName::parse("test-1-x86_64").expect("a name");
        let lock = Lock::parse(Page { file: "lock.yaml", text: lock }).expect("a lock");
        Distribution::new(&Target::new(&name, profile).expect("its architecture").with_lock(lock))
    }

    #[test]
    fn only_what_is_sure_is_an_answer() {
        let known = distribution(
            "known:\n  - from: a list\n    repository: OS\n    packages:\n      - { name: libfabric, evr: 1.20.0 }\n      \
             - { name: libpmem, below: '2.0', source: nvml, provides: [libpmem.so.1()(64bit)] }\n      - { name: shadow, files: [/usr/sbin/useradd] }\n    absent: [ucx]\n",
        );
        for (requirement, expected) in [
            ("libfabric", true),
            ("libfabric >= 1.20", true),
            ("libfabric >= 1.20.0-5", true),
            ("libfabric > 1.20.0", false),
            ("libpmem", true),
            ("libpmem < 2.1", true),
            ("libpmem <= 2.0", true),
            ("libpmem >= 1.5", false),
            ("libpmem >= 2.0", false),
            ("libpmem.so.1()(64bit)", true),
            ("shadow", true),
            ("shadow >= 4", false),
            ("/usr/sbin/useradd", true),
            ("glibc >= 2.34", true),
            ("libc.so.6(GLIBC_2.34)(64bit)", true),
            ("libc.so.6(GLIBC_2.35)(64bit)", false),
            ("ucx", false),
        ] {
            assert_eq!(!known.providers(&Capability::parse(requirement)).is_empty(), expected, "{requirement}");
        }
        assert_eq!(known.package("nvml").expect("by its source").at_least("2.0"), Some(false));
        assert_eq!(known.package("libpmem").expect("by its name").at_least("1.5"), None);
        assert_eq!(known.package("shadow").expect("there").at_least("1"), None);
        assert_eq!((known.absent("ucx"), known.absent("mercury")), (Some("a list"), None));
        assert_eq!(known.offers("libpmem").expect("there"), "libpmem below 2.0 (of nvml, OS)");
    }
}
