//! What a build is compiled and linked with: its sysroot, the environment of the compilers, and the files of meson and
//! cmake.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cross;
use crate::cxx;
use crate::gnu::{Gnu, Wanted};
use crate::macros;
use crate::sandbox::Upstream;
use crate::stages::{BuildError, Job};
use crate::sysroot;

impl Job<'_> {
    /// The sysroot of this build, made once per work folder, and the environment of the GNU compiler. For cargo it holds the
    /// packages alone: zig brings glibc itself.
    pub(crate) fn upstream(&self, work: &Path, log: &Path) -> Result<Option<Upstream>, BuildError> {
        if self.gnu.is_none() && self.linked.is_empty() {
            return Ok(None);
        }
        let sysroot = work.join("sysroot");
        if !sysroot.is_dir() {
            (self.progress)("sysroot");
            let store = self.state.join("sysroots");
            let mut layers = Vec::new();
            if let Some(gnu) = self.gnu {
                layers.push(sysroot::floor(self.toolchain, gnu, self.target, &store, log)?);
            }
            if self.recipe.cxx {
                (self.progress)("C++ library");
                layers.push(cxx::runtime(self.toolchain, self.target, &store, log)?);
            }
            let packages: Vec<PathBuf> = self.linked.iter().flat_map(|linked| linked.packages.clone()).collect();
            sysroot::with_packages(&layers, &packages, &sysroot)?;
        }
        let Some(gnu) = self.gnu else { return Ok(Some(Upstream { sysroot, environment: Vec::new() })) };
        let environment = self.environment(gnu);
        for (name, text) in cross::files(gnu, self.target, self.recipe, &environment) {
            let path = work.join(name);
            fs::write(&path, text).map_err(BuildError::at(&path))?;
        }
        Ok(Some(Upstream { sysroot, environment }))
    }

    /// What the compilers find in their environment.
    pub(crate) fn environment(&self, gnu: &Gnu) -> Vec<(String, String)> {
        let private: Vec<String> = self.linked.iter().filter_map(|linked| linked.private.clone()).collect();
        gnu.environment(self.target, Wanted { builddir: macros::BUILDDIR, cxx: self.recipe.cxx, private: &private })
    }
}
