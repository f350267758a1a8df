//! Groups of packages and kinds of hosts, as `comps.xml` has them. What they are is drawn in `packager/docs/groups-and-advisories.md`.

/// A whole `comps.xml`. Categories, languages and translations are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comps {
    /// Groups, in the order of the file.
    pub groups: Vec<Group>,
    /// Kinds of hosts, in the order of the file.
    pub environments: Vec<Environment>,
}

/// Packages that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// What it is asked for by.
    pub id: String,
    /// One line for people.
    pub name: String,
    /// Prose.
    pub description: String,
    /// Chosen without being asked for.
    pub default: bool,
    /// Shown to people.
    pub uservisible: bool,
    /// Its packages.
    pub members: Vec<Member>,
}

/// A package of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// When it is installed with the group.
    pub when: When,
}

/// When a package is installed with its group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum When {
    /// Always.
    #[default]
    Mandatory,
    /// Unless the host's settings leave such packages out.
    Default,
    /// When it is asked for.
    Optional,
    /// If this package is installed.
    Conditional(String),
}

/// A kind of host: groups that are installed together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// What it is asked for by.
    pub id: String,
    /// One line for people.
    pub name: String,
    /// Prose.
    pub description: String,
    /// Ids of groups that always belong to it.
    pub groups: Vec<String>,
    /// Ids of groups that can be chosen with it.
    pub options: Vec<String>,
}

impl When {
    /// Its name in metadata.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            When::Mandatory => "mandatory",
            When::Default => "default",
            When::Optional => "optional",
            When::Conditional(_) => "conditional",
        }
    }
}
