//! Packages of repository metadata as packages of a universe: their dependencies as rpm writes them.

use packager_repodata::model;

use crate::universe::Package;

impl From<model::Package> for Package {
    fn from(package: model::Package) -> Package {
        let texts = |dependencies: Vec<model::Dependency>| {
            let mut texts: Vec<String> = dependencies.iter().map(ToString::to_string).collect();
            texts.dedup();
            texts
        };
        let model::Weak { recommends, suggests, supplements, enhances } = package.weak;
        Package {
            name: package.name,
            evr: package.evr.to_string(),
            arch: package.arch,
            provides: texts(package.provides),
            requires: texts(package.requires),
            conflicts: texts(package.conflicts),
            obsoletes: texts(package.obsoletes),
            recommends: texts(recommends),
            suggests: texts(suggests),
            supplements: texts(supplements),
            enhances: texts(enhances),
            files: package.files.into_iter().map(|file| file.path).collect(),
        }
    }
}
