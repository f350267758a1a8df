//! What meson and cmake read in a cross build: files in the sandbox. The spec has no word about them; on the distribution its own
//! macros decide.

use std::collections::BTreeMap;

use packager_recipe::{Concrete, Target};

use crate::gnu::{Gnu, baseline};
use crate::sandbox::SYSROOT;

/// File name of the cross file, in the work folder.
pub(crate) const MESON: &str = "meson.cross";

/// File name of the toolchain file, in the work folder.
pub(crate) const CMAKE: &str = "toolchain.cmake";

/// Both files by name. `environment` is the compiler's.
pub(crate) fn files(
    gnu: &Gnu,
    target: &Target,
    recipe: &Concrete,
    environment: &[(String, String)],
) -> [(&'static str, String); 2] {
    let variables: BTreeMap<&str, &str> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    [(MESON, meson(target, recipe, &variables)), (CMAKE, cmake(gnu, target))]
}

fn meson(target: &Target, recipe: &Concrete, environment: &BTreeMap<&str, &str>) -> String {
    let words = |text: &str| text.split_whitespace().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    let mut text = "[binaries]\n".to_owned();
    let binaries = [
        ("c", "CC"),
        ("cpp", "CXX"),
        ("ar", "AR"),
        ("nm", "NM"),
        ("ranlib", "RANLIB"),
        ("strip", "STRIP"),
        ("objcopy", "OBJCOPY"),
    ];
    // A project that asks for a compiler it does not need must not find one that cannot link.
    for (name, variable) in binaries.into_iter().filter(|(name, _)| recipe.cxx || *name != "cpp") {
        text.push_str(&format!("{name} = [{}]\n", words(environment[variable])));
    }
    // Both spellings: the second is meson's from 1.3 on.
    text.push_str("pkgconfig = 'pkg-config'\npkg-config = 'pkg-config'\n\n[properties]\nneeds_exe_wrapper = true\n");
    let folders: Vec<&str> = environment["PKG_CONFIG_LIBDIR"].split(':').collect();
    text.push_str(&format!("sys_root = '{SYSROOT}'\npkg_config_libdir = [{}]\n", words(&folders.join(" "))));
    for (name, value) in &recipe.properties {
        text.push_str(&format!("{name} = {value}\n"));
    }
    let (family, cpu) = (target.arch.name(), baseline(target));
    text.push_str(&format!(
        "\n[host_machine]\nsystem = 'linux'\ncpu_family = '{family}'\ncpu = '{cpu}'\nendian = 'little'\n"
    ));
    text
}

/// The compilers and their flags come from the environment, which cmake reads as `configure` does.
fn cmake(gnu: &Gnu, target: &Target) -> String {
    let mut text = format!("set(CMAKE_SYSTEM_NAME Linux)\nset(CMAKE_SYSTEM_PROCESSOR {})\n", target.arch.name());
    for name in ["ar", "nm", "ranlib", "strip", "objcopy", "objdump"] {
        text.push_str(&format!("set(CMAKE_{} /usr/bin/{}{name})\n", name.to_uppercase(), gnu.prefix));
    }
    text.push_str(&format!("set(CMAKE_FIND_ROOT_PATH {SYSROOT})\nset(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)\n"));
    for kind in ["LIBRARY", "INCLUDE", "PACKAGE"] {
        text.push_str(&format!("set(CMAKE_FIND_ROOT_PATH_MODE_{kind} ONLY)\n"));
    }
    text.push_str(&format!(
        "set(PKG_CONFIG_EXECUTABLE /usr/bin/pkg-config)\nset(ENV{{PKG_CONFIG_SYSROOT_DIR}} {SYSROOT})\n"
    ));
    text
}
