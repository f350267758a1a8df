//! Operations on keys and signatures.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use packager_recipe::values::is_word;
use packager_repo::verify as repository;
use packager_rpm::{SigningKey, VerifyingKey, sign as signing};
use serde_json::json;

use crate::arguments::{NewKeyOptions, SignOptions, VerifyOptions};
use crate::report::{Report, say};

/// Name of the key that is made when none is given. It says what it is wherever rpm shows it.
const DEVELOPMENT: &str = "development";

/// What its user begins with.
pub(crate) const DEVELOPMENT_USER: &str = "DEVELOPMENT KEY, not for release";

/// `keys new`.
pub(crate) fn new(keys: &Path, options: &NewKeyOptions) -> Result<Report> {
    let folder = options.out.clone().unwrap_or_else(|| keys.to_owned());
    let user = options.user.clone().unwrap_or_else(|| format!("{0} packages <{0}@packager.invalid>", options.name));
    if !is_name(&options.name) {
        bail!(
            "`{}` cannot be the name of key files\nhint: use letters, digits and `._-`, and begin with a letter or digit",
            options.name
        );
    }
    if user.trim().is_empty() || user.contains(char::is_control) {
        bail!(
            "`{}` cannot be the user of a key\nhint: write it in one line, like `Some Body <somebody@example.org>`",
            user.escape_debug()
        );
    }
    let _lock = lock(&folder)?;
    let (secret, public) = if SigningKey::finish(&folder, &options.name)? {
        say!("packager: an earlier `keys new {}` was stopped; this is its key", options.name);
        let [secret, public] = ["secret.asc", "asc"].map(|ending| folder.join(format!("{}.{ending}", options.name)));
        (secret, public)
    } else {
        // Before making a key, which takes its time.
        SigningKey::vacant(&folder, &options.name)?;
        SigningKey::generate(&user)?.save(&folder, &options.name)?
    };
    let key = SigningKey::load(&secret)?;
    let facts = key.public()?.facts();
    let text = format!(
        "secret key   {}\npublic key   {}\nfingerprint  {}\nuser         {}\n",
        secret.display(),
        public.display(),
        facts.fingerprint,
        facts.user
    );
    Ok(Report::new(
        text,
        json!({ "secret": secret, "public": public, "fingerprint": facts.fingerprint, "user": facts.user }),
    ))
}

/// Whether files of a key may have a name: no path, not hidden, and the public one not that of another's secret.
fn is_name(text: &str) -> bool {
    is_word(text, "._-") && !text.ends_with(".secret")
}

/// One process at a time makes keys in a folder.
fn lock(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let lock = folder.join(".lock");
    let held = File::create(&lock).with_context(|| format!("cannot make `{}`", lock.display()))?;
    held.lock().with_context(|| format!("cannot lock `{}`", lock.display()))?;
    Ok(held)
}

/// The key to sign with: the given one, or the development key, which is made once.
pub(crate) fn signing_key(keys: &Path, given: Option<&Path>) -> Result<(SigningKey, bool)> {
    if let Some(path) = given {
        return Ok((SigningKey::load(path)?, false));
    }
    let path = keys.join(format!("{DEVELOPMENT}.secret.asc"));
    // Two first builds at once make one key.
    let _lock = lock(keys)?;
    SigningKey::finish(keys, DEVELOPMENT)?;
    if !path.exists() {
        // What a person left of an older one signs nothing any more.
        let public = keys.join(format!("{DEVELOPMENT}.asc"));
        if public.exists() {
            fs::remove_file(&public).with_context(|| format!("cannot remove `{}`", public.display()))?;
        }
        say!("packager: making a development key in {} (`--sign-key` names another)", keys.display());
        let key = SigningKey::generate(&format!("{DEVELOPMENT_USER} <development@packager.invalid>"))?;
        key.save(keys, DEVELOPMENT)?;
    }
    Ok((SigningKey::load(&path)?, true))
}

/// `sign`.
pub(crate) fn sign(keys: &Path, options: &SignOptions) -> Result<Report> {
    let (key, _) = signing_key(keys, options.sign_key.as_deref())?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = key.time_for(i64::try_from(since.as_secs()).unwrap_or(0));
    for package in &options.packages {
        signing::sign(package, package, &key, now)?;
    }
    let fingerprint = key.public()?.facts().fingerprint;
    let text = format!("{} packages signed with {fingerprint}\n", options.packages.len());
    Ok(Report::new(text, json!({ "signed": options.packages, "fingerprint": fingerprint })))
}

/// `verify`.
pub(crate) fn verify(options: &VerifyOptions) -> Result<Report> {
    let key = VerifyingKey::load(&options.key)?;
    let mut packages: Vec<PathBuf> = Vec::new();
    let mut repositories = 0_usize;
    let mut provenance = Vec::new();
    for path in &options.paths {
        let metadata = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        if metadata.is_dir() {
            let verified = repository::verify(path, &key)?;
            if options.require_provenance && verified.provenance.is_none() {
                bail!(
                    "`{}` has no provenance\nhint: publish it with `packager build`, or do not ask for `--require-provenance`",
                    path.display()
                );
            }
            packages.extend(verified.packages.iter().map(|package| path.join(&package.location.href)));
            provenance.extend(verified.provenance);
            repositories += 1;
        } else {
            signing::verify(path, &key)?;
            packages.push(path.clone());
        }
    }
    packages.sort();
    let mut text =
        format!("{} packages and {repositories} repositories are as signed by {}\n", packages.len(), key.facts().user);
    for attested in &provenance {
        let files = attested.statement.subject.len();
        text.push_str(&format!("{}: provenance of {files} files\n", attested.file.display()));
    }
    if provenance.len() < repositories {
        text.push_str(&format!("{} repositories have no provenance\n", repositories - provenance.len()));
    }
    let value = json!({
        "packages": packages, "repositories": repositories, "key": key.facts(), "provenance": provenance,
    });
    Ok(Report::new(text, value))
}
