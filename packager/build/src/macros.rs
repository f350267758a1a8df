//! rpm macros of a target: every value that a host's own macros would otherwise decide.

use packager_recipe::Target;

use crate::cross;
use crate::sandbox::{HOST, SYSROOT};
use crate::tools::triple;

/// The folders of rpm's own macros that are read before ours. Nothing below `/etc` or in a home folder is.
pub const BASE: [&str; 3] =
    ["/usr/lib/rpm/macros", "/usr/lib/rpm/platform/%{_target}/macros", "/usr/lib/rpm/fileattrs/*.attr"];

/// Where sources are unpacked.
pub const BUILDDIR: &str = "/build/sources-are-unpacked-and-compiled-here";

/// make takes its jobs from the pool of the run, which `-j` would end; installing is done by one job, as on the distributions.
const MAKE: &str = "%_smp_mflags %{nil}\n\
    %make_install env -u MAKEFLAGS -u MFLAGS %{__make} install DESTDIR=%{?buildroot} INSTALL=\"%{__install} -p\"";

/// Further lines for upstream projects: `configure` must know that it builds for another machine, even of the same kind; `%meson`
/// and `%cmake` are as on the distributions, and read the files of a cross build.
#[must_use]
pub fn for_upstream(target: &Target) -> String {
    let vendor = target.profile.vendor.to_lowercase();
    let lines = [
        format!("%_host {}-{vendor}-linux-gnu", target.arch),
        format!("%_build {}-pc-linux-gnu", std::env::consts::ARCH),
        MAKE.to_owned(),
        format!(
            "%meson meson setup build --cross-file /build/{} --prefix=%{{_prefix}} --libdir=%{{_libdir}} --libexecdir=%{{_libexecdir}} \
             --bindir=%{{_bindir}} --sbindir=%{{_sbindir}} --includedir=%{{_includedir}} --datadir=%{{_datadir}} --mandir=%{{_mandir}} \
             --sysconfdir=%{{_sysconfdir}} --localstatedir=%{{_localstatedir}} --wrap-mode=nodownload --auto-features=enabled --buildtype=plain",
            cross::MESON
        ),
        "%meson_build meson compile --verbose -C build -j ${CARGO_BUILD_JOBS:-1}".to_owned(),
        "%meson_install DESTDIR=%{buildroot} meson install --no-rebuild -C build".to_owned(),
        format!(
            "%cmake cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=/build/{} -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX:PATH=%{{_prefix}} \
             -DCMAKE_INSTALL_LIBDIR:PATH=%{{_libdir}} -DCMAKE_INSTALL_SYSCONFDIR:PATH=%{{_sysconfdir}} -DCMAKE_SKIP_RPATH:BOOL=ON \
             -DLIB_SUFFIX=64 -DBUILD_SHARED_LIBS:BOOL=ON",
            cross::CMAKE
        ),
        "%cmake_build cmake --build build --verbose".to_owned(),
        "%cmake_install DESTDIR=%{buildroot} cmake --install build".to_owned(),
    ];
    lines.join("\n") + "\n"
}

/// A further line for cargo workspaces that link against packages.
#[must_use]
pub fn for_linked() -> String {
    format!("%library_folder {SYSROOT}/usr/lib64\n")
}

/// The text of the macro file for a target.
#[must_use]
pub fn for_target(target: &Target) -> String {
    let profile = &target.profile;
    let mut lines = vec![
        format!("# Generated for {}.", target.name),
        "%_topdir /build".to_owned(),
        // Longer than any folder below /usr/src/debug that replaces it: debugedit cannot lengthen paths that are stored inline.
        format!("%_builddir {BUILDDIR}"),
        "%_tmppath /tmp".to_owned(),
        "%_dbpath /build/home/rpmdb".to_owned(),
        format!("%dist {}", profile.dist),
        format!("%_vendor {}", profile.vendor.to_lowercase()),
        format!("%_host_vendor {}", profile.vendor.to_lowercase()),
        format!("%_buildhost {HOST}"),
        format!("%_binary_payload {}", profile.binary_payload),
        format!("%_source_payload {}", profile.source_payload),
        // SHA-256 of files: what every supported rpm reads, also in FIPS mode.
        "%_binary_filedigest_algorithm 8".to_owned(),
        "%_source_filedigest_algorithm 8".to_owned(),
        format!("%_build_id_links {}", profile.build_id_links),
        "%_unique_build_ids 1".to_owned(),
        "%_unique_debug_names 1".to_owned(),
        "%_unique_debug_srcs 1".to_owned(),
        "%_enable_debug_packages 1".to_owned(),
        "%_debugsource_packages 1".to_owned(),
        "%_missing_build_ids_terminate_build 1".to_owned(),
        "%_unpackaged_files_terminate_build 1".to_owned(),
        "%use_source_date_epoch_as_buildtime 1".to_owned(),
        "%clamp_mtime_to_source_date_epoch 1".to_owned(),
        "%source_date_epoch_from_changelog 0".to_owned(),
        "%_changelog_trimtime 0".to_owned(),
        // eu-strip inside find-debuginfo knows every architecture; the other strippers of a build host know their own only.
        "%__find_debuginfo /usr/bin/find-debuginfo".to_owned(),
        "%_find_debuginfo_dwz_opts %{nil}".to_owned(),
        // The script is written for bash, which /bin/sh is not everywhere.
        // As the distributions do: debug information in static libraries is in no debug package and names the build's folders.
        "%__os_install_post /usr/bin/bash %{_rpmconfigdir}/brp-compress\\\n\
         find %{buildroot} -name '*.a' -type f -exec ${STRIP:-strip} -g {} +\\\n%{nil}"
            .to_owned(),
        // As all supported distributions have it: debug packages wherever %setup made a folder.
        "%install %{?_enable_debug_packages:%{?buildsubdir:%{debug_package}}}\\\n%%install\\\n%{nil}".to_owned(),
        "%_docdir_fmt %%{NAME}".to_owned(),
        "%__arch_install_post %{nil}".to_owned(),
        // rpm 4.19 and later would require users and groups, which older ones cannot provide.
        "%_use_weak_usergroup_deps 1".to_owned(),
        "%optflags -O2 -g".to_owned(),
        format!("%cargo_triple {}", triple(target.arch)),
        format!("%cargo_target {}.{}", triple(target.arch), profile.glibc),
        "%packager_cargo cargo-zigbuild zigbuild".to_owned(),
    ];
    if profile.debuginfo_subpackages {
        lines.push("%_debuginfo_subpackages 1".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}
