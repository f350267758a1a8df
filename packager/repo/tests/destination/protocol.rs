//! What readers see, and what is there in the end.

use packager_repo::mirror_list::MIRROR_LIST;
use packager_repo::operations;

use crate::memory::{Files, Memory, Stop};
use crate::yard::{
    RECORD, REPOMD, SIGNATURE, mirror, mirrored, publish, published, read, read_mirrored, repository, settings,
    without_record,
};

/// The files that a place has after a folder was published there alone.
fn whole(folder: &tempfile::TempDir) -> Files {
    let place = Memory::default();
    publish(folder, &place, 1).expect("published");
    without_record(&place.files.borrow())
}

#[test]
fn everything_arrives_once() {
    let folder = repository(&[("a", "1"), ("b", "1")]);
    let place = Memory::default();
    let done = publish(&folder, &place, 2).expect("published");
    assert_eq!((done.put.len(), done.there, done.removed.len(), done.packages), (6, 0, 0, 2));
    assert_eq!(without_record(&place.files.borrow()), published(folder.path()));
    let steps = place.steps.get();
    let done = publish(&folder, &place, 2).expect("nothing to do");
    assert!(!done.written && done.put.is_empty() && done.there == 6);
    assert_eq!(place.steps.get(), steps, "nothing is written");
}

#[test]
fn the_next_generation_comes_and_the_one_before_the_last_goes() {
    let place = Memory::default();
    let folders = [
        repository(&[("a", "1"), ("b", "1")]),
        repository(&[("b", "1"), ("c", "1")]),
        repository(&[("c", "1"), ("d", "1")]),
        repository(&[("c", "1"), ("d", "1"), ("e", "1")]),
    ];
    for (number, folder) in folders.iter().enumerate() {
        let before = place.files.borrow().clone();
        let done = publish(folder, &place, 2).expect("published");
        let now = place.files.borrow().clone();
        let expected = read(&now, &now).expect("the new one");
        assert_eq!(expected.len(), done.packages);
        if number > 0 {
            read(&before, &now).expect("and the one before it");
            assert_eq!(done.generations, 2);
        }
    }
    let now = place.files.borrow().clone();
    let names: Vec<&str> = now.keys().filter_map(|name| name.strip_prefix("Packages/")).collect();
    assert_eq!(names, ["c-1-1.noarch.rpm", "d-1-1.noarch.rpm", "e-1-1.noarch.rpm"]);
    // Down to one generation: everything else goes.
    let done = publish(&folders[3], &place, 1).expect("published");
    assert!(done.written && done.put.is_empty() && done.removed.len() == 3, "three lists of metadata: {done:?}");
    assert_eq!(without_record(&place.files.borrow()), whole(&folders[3]));
}

/// Who reads through the mirror list never meets files of two publications, also where no two files change at one moment, and wherever the
/// publisher ends. Without changes nothing is put; a repository without a list takes it away.
#[test]
fn a_mirror_list_leads_to_one_publication_at_any_time() {
    let folders =
        [mirrored(&[("a", "1"), ("b", "1")]), mirrored(&[("b", "1"), ("c", "1")]), mirrored(&[("c", "1"), ("d", "1")])];
    let place = Memory::default();
    for folder in &folders[..2] {
        publish(folder, &place, 2).expect("published");
    }
    assert!(!publish(&folders[1], &place, 2).expect("nothing to do").written);
    let before = place.files.borrow().clone();
    let undisturbed = Memory::with(before.clone());
    undisturbed.apart.set(true);
    publish(&folders[2], &undisturbed, 2).expect("published");
    let after = undisturbed.files.borrow().clone();
    let [old, new] = [&before, &after].map(|files| read_mirrored(files, files).expect("whole"));
    assert_eq!(new, ["Packages/c-1-1.noarch.rpm", "Packages/d-1-1.noarch.rpm"]);
    assert_eq!(read(&after, &after).expect("the other way"), new);
    for step in 0..undisturbed.steps.get() {
        for stop in [Stop::Before, Stop::After] {
            let place = Memory::stopping(before.clone(), step, stop);
            place.apart.set(true);
            publish(&folders[2], &place, 2).expect_err("it stops");
            let again = Memory::with(place.files.borrow().clone());
            again.apart.set(true);
            publish(&folders[2], &again, 2).unwrap_or_else(|error| panic!("step {step} {stop:?}: {error}"));
            for place in [&place, &again] {
                // Of the first state a reader has the list only.
                let mut firsts: Vec<Files> = Vec::new();
                for last in place.states.borrow().iter() {
                    if firsts.iter().all(|first| first.get(MIRROR_LIST) != last.get(MIRROR_LIST)) {
                        firsts.push(last.clone());
                    }
                    for first in &firsts {
                        let seen =
                            read_mirrored(first, last).unwrap_or_else(|why| panic!("step {step} {stop:?}: {why}"));
                        assert!(seen == old || seen == new, "step {step} {stop:?}: {seen:?}");
                    }
                }
            }
            // What readers of the list may have had stays one run longer.
            publish(&folders[2], &again, 2).expect("nothing is put");
            let (there, expected) = (without_record(&again.files.borrow()), without_record(&after));
            assert!(there == expected, "step {step} {stop:?}: {:?}", there.keys().collect::<Vec<_>>());
        }
    }
    // What belongs to no generation that is kept goes, the metadata of the list too.
    publish(&folders[2], &undisturbed, 1).expect("published");
    assert_eq!(without_record(&undisturbed.files.borrow()), published(folders[2].path()));
    let plain = repository(&[("c", "1")]);
    publish(&plain, &undisturbed, 1).expect("published");
    // Who had the list follows it still.
    read_mirrored(&after, &undisturbed.files.borrow()).expect("the one before");
    publish(&plain, &undisturbed, 1).expect("nothing is put");
    assert_eq!(without_record(&undisturbed.files.borrow()), published(plain.path()));
}

/// What a mirror list led to when a publisher began stays until a later run, with however few generations, and wherever the publisher before was killed.
#[test]
fn what_a_mirror_list_led_to_stays_for_those_who_have_the_list() {
    let first = mirrored(&[("a", "1"), ("b", "1")]);
    let [second, third] = [("c", "1"), ("d", "1")].map(|package| mirrored(&[package]));
    let start = Memory::default();
    publish(&first, &start, 1).expect("published");
    let before = start.files.borrow().clone();
    let undisturbed = Memory::with(before.clone());
    undisturbed.apart.set(true);
    publish(&second, &undisturbed, 1).expect("published");
    let old = read_mirrored(&before, &before).expect("whole");
    for step in 0..=undisturbed.steps.get() {
        for stop in [Stop::Before, Stop::After] {
            // The first one is killed, then another repository is published, with one generation to be kept.
            let killed = Memory::stopping(before.clone(), step, stop);
            killed.apart.set(true);
            let _killed = publish(&second, &killed, 1);
            let between = killed.files.borrow().clone();
            let next = Memory::with(between.clone());
            next.apart.set(true);
            publish(&third, &next, 1).unwrap_or_else(|error| panic!("step {step} {stop:?}: {error}"));
            for last in next.states.borrow().iter() {
                let seen = read_mirrored(&between, last).unwrap_or_else(|why| panic!("step {step} {stop:?}: {why}"));
                assert!(seen == old || seen == ["Packages/c-1-1.noarch.rpm"], "step {step} {stop:?}: {seen:?}");
            }
            publish(&third, &next, 1).expect("what nobody reads goes");
            assert_eq!(without_record(&next.files.borrow()), published(third.path()), "step {step} {stop:?}");
        }
    }
}

/// The same metadata under another address or with another signature is another generation for those who read through the list.
#[test]
fn a_new_address_or_key_does_not_take_the_old_list_from_its_readers() {
    let folder = mirrored(&[("a", "1"), ("b", "1")]);
    let place = Memory::default();
    publish(&folder, &place, 2).expect("published");
    let before = place.files.borrow().clone();
    mirror(folder.path(), "https://other.invalid");
    let done = publish(&folder, &place, 2).expect("published");
    assert!(done.written && done.generations == 2, "{done:?}");
    let now = place.files.borrow().clone();
    let both = [&before, &now].map(|files| read_mirrored(files, &now).expect("whole"));
    assert_eq!(both[0], both[1]);
    publish(&folder, &place, 1).expect("down to one");
    assert_eq!(without_record(&place.files.borrow()), published(folder.path()));
}

/// A list that does not fit the metadata reaches no reader, nor does one of somebody else's make place.
#[test]
fn a_list_that_does_not_fit_is_refused() {
    let folder = mirrored(&[("a", "1")]);
    let list = folder.path().join(MIRROR_LIST);
    let good = std::fs::read_to_string(&list).expect("a list");
    let other = mirrored(&[("b", "1")]);
    std::fs::copy(other.path().join(MIRROR_LIST), &list).expect("copied");
    let refused = |place: &Memory| publish(&folder, place, 2).expect_err("refused").to_string();
    assert!(refused(&Memory::default()).contains("is of other metadata, or not signed as that is\nhint: "));
    std::fs::write(&list, &good).expect("written");
    let inner = good.lines().last().expect("a line").rsplit('/').nth(1).expect("a folder");
    std::fs::remove_file(folder.path().join(format!("repodata/{inner}/{SIGNATURE}"))).expect("removed");
    assert!(refused(&Memory::default()).contains("is of other metadata, or not signed as that is\nhint: "));
    // `update` makes it anew, whatever of it was changed.
    let key = format!("repodata/{inner}/{SIGNATURE}");
    operations::update(folder.path(), &settings()).expect("made anew");
    publish(&folder, &Memory::default(), 2).expect("whole");
    let again = std::fs::read_to_string(&list).expect("a list");
    for (name, text) in
        [(&*key, "another signature".to_owned()), (MIRROR_LIST, again.replace("host.invalid", "else.invalid"))]
    {
        std::fs::write(folder.path().join(name), text).expect("written");
        assert!(refused(&Memory::default()).contains("is of other metadata"), "{name}");
        assert!(operations::update(folder.path(), &settings()).expect("made anew").written, "{name}");
        let address = if name == MIRROR_LIST { "https://else.invalid/" } else { "https://host.invalid/" };
        assert!(std::fs::read_to_string(&list).expect("a list").contains(address), "{name}");
        publish(&folder, &Memory::default(), 2).expect("whole");
    }
    let folder = mirrored(&[("a", "1")]);
    let place = Memory::with([(MIRROR_LIST.to_owned(), b"https://elsewhere.invalid/\n".to_vec())].into());
    let refused = publish(&folder, &place, 2).expect_err("somebody's").to_string();
    assert!(refused.contains("`repodata/mirrorlist` is at `memory`, and was not put there by"), "{refused}");
    // A damaged one of ours is put in order.
    let place = Memory::default();
    publish(&folder, &place, 2).expect("published");
    place.files.borrow_mut().insert(MIRROR_LIST.to_owned(), b"damaged".to_vec());
    publish(&folder, &place, 2).expect("published");
    assert_eq!(without_record(&place.files.borrow()), published(folder.path()));
}

/// Every step of a publication, and each way it can end there: readers find the old or the new repository, also those that read
/// while it went on, and the next run ends with the same files.
#[test]
fn a_stop_at_any_step_harms_nobody_and_the_next_run_completes() {
    let (first, second) = (repository(&[("a", "1"), ("b", "1")]), repository(&[("b", "1"), ("c", "1")]));
    let third = repository(&[("c", "1"), ("d", "1")]);
    let place = Memory::default();
    publish(&first, &place, 2).expect("published");
    publish(&second, &place, 2).expect("published");
    let before = place.files.borrow().clone();
    let undisturbed = Memory::with(before.clone());
    publish(&third, &undisturbed, 2).expect("published");
    let after = undisturbed.files.borrow().clone();
    let [old, new] = [&before, &after].map(|files| read(files, files).expect("whole"));
    let steps = undisturbed.steps.get();
    assert!(steps > 10, "{steps}");
    for step in 0..steps {
        for stop in [Stop::Before, Stop::After] {
            let place = Memory::stopping(before.clone(), step, stop);
            publish(&third, &place, 2).expect_err("it stops");
            let states = place.states.borrow().clone();
            for (number, first) in states.iter().enumerate() {
                for last in &states[number..] {
                    let seen = read(first, last).unwrap_or_else(|why| panic!("step {step} {stop:?}: {why}"));
                    assert!(seen == old || seen == new, "step {step} {stop:?}: {seen:?}");
                }
            }
            let again = Memory::with(place.files.borrow().clone());
            publish(&third, &again, 2).unwrap_or_else(|error| panic!("step {step} {stop:?}: {error}"));
            let states = again.states.borrow().clone();
            for (number, first) in states.iter().enumerate() {
                for last in &states[number..] {
                    read(first, last).unwrap_or_else(|why| panic!("after step {step} {stop:?}: {why}"));
                }
            }
            assert_eq!(without_record(&again.files.borrow()), without_record(&after), "step {step} {stop:?}");
            assert!(!publish(&third, &again, 2).expect("nothing to do").written, "step {step} {stop:?}");
        }
    }
}

/// Two publishers in a row are killed at any of their steps: one with a new repository, and one of which all files are there already, so that nothing
/// but the signature and what it signs is put.
#[test]
fn two_stops_in_a_row_harm_nobody() {
    let folders = [repository(&[("a", "1")]), repository(&[("b", "1")]), repository(&[("c", "1")])];
    for folder in &folders {
        std::fs::remove_file(folder.path().join("page.html")).expect("a page"); // which is another one each time
    }
    let place = Memory::default();
    for folder in &folders[..2] {
        publish(folder, &place, 5).expect("published");
    }
    let start = place.files.borrow().clone();
    let all_pairs = |place: &Memory, when: &str| {
        let states = place.states.borrow().clone();
        for (number, first) in states.iter().enumerate() {
            for last in &states[number..] {
                read(first, last).unwrap_or_else(|why| panic!("{when}: {why}"));
            }
        }
    };
    // The first one brings a repository that no record knows, until a publication needs fewer steps than that.
    for first_stop in 0..20 {
        let first = Memory::stopping(start.clone(), first_stop, Stop::After);
        if publish(&folders[2], &first, 5).is_ok() {
            break;
        }
        all_pairs(&first, "first");
        let between = first.files.borrow().clone();
        for second_stop in 0..8 {
            let second = Memory::stopping(between.clone(), second_stop, Stop::After);
            if publish(&folders[0], &second, 5).is_ok() {
                break;
            }
            all_pairs(&second, &format!("{first_stop}, {second_stop}"));
            for folder in &folders {
                let last = Memory::with(second.files.borrow().clone());
                publish(folder, &last, 5).expect("published");
                all_pairs(&last, &format!("after {first_stop}, {second_stop}"));
            }
        }
    }
}

/// A run that was killed may be followed by one of another repository: what it had put goes.
#[test]
fn what_a_killed_publication_put_goes_with_the_next_one() {
    let (first, second, third) = (repository(&[("a", "1")]), repository(&[("b", "1")]), repository(&[("c", "1")]));
    let place = Memory::default();
    publish(&first, &place, 1).expect("published");
    let before = place.files.borrow().clone();
    let undisturbed = Memory::with(before.clone());
    publish(&second, &undisturbed, 1).expect("published");
    for step in 0..undisturbed.steps.get() {
        let place = Memory::stopping(before.clone(), step, Stop::After);
        publish(&second, &place, 1).expect_err("it stops");
        let again = Memory::with(place.files.borrow().clone());
        publish(&third, &again, 1).unwrap_or_else(|error| panic!("step {step}: {error}"));
        assert_eq!(without_record(&again.files.borrow()), whole(&third), "step {step}");
    }
}

/// The same name and size with other bytes, put by a killed run, and by the next one that is killed too, whenever: what readers get is what the
/// metadata says.
#[test]
fn other_bytes_of_the_same_size_are_not_taken_for_those_that_were_to_be_put() {
    let (first, second, third) = (repository(&[]), repository(&[("b", "1")]), repository(&[("b", "1")]));
    for (folder, summary) in [(&second, "one way"), (&third, "another")] {
        crate::yard::package(&folder.path().join("Packages"), "b", "1", summary);
        crate::yard::describe(folder.path());
    }
    let package = "Packages/b-1-1.noarch.rpm";
    let [one, other] = [&second, &third].map(|folder| published(folder.path())[package].clone());
    assert!(one.len() == other.len() && one != other);
    let place = Memory::default();
    publish(&first, &place, 2).expect("published");
    let before = place.files.borrow().clone();
    for step in 0..8 {
        let place = Memory::stopping(before.clone(), step, Stop::After);
        publish(&second, &place, 2).expect_err("it stops");
        if place.files.borrow()[REPOMD] != before[REPOMD] {
            break; // readers have seen it
        }
        let between = place.files.borrow().clone();
        for again in 0..4 {
            let place = Memory::stopping(between.clone(), again, Stop::After);
            publish(&third, &place, 2).expect_err("it stops");
            let last = Memory::with(place.files.borrow().clone());
            publish(&third, &last, 2).unwrap_or_else(|error| panic!("{step}, {again}: {error}"));
            let now = last.files.borrow().clone();
            read(&now, &now).unwrap_or_else(|why| panic!("{step}, {again}: {why}"));
        }
    }
}

/// Repositories of other programs, and copies made by hand, become the first generation.
#[test]
fn a_repository_without_record_is_taken_over() {
    let (first, second) = (repository(&[("a", "1"), ("b", "1")]), repository(&[("b", "1")]));
    let place = Memory::with(published(first.path()));
    place.files.borrow_mut().insert("by-hand.txt".to_owned(), b"of somebody else".to_vec());
    place.files.borrow_mut().remove("page.html");
    let before = place.files.borrow().clone();
    let done = publish(&second, &place, 2).expect("published");
    assert_eq!((done.there, done.generations), (1, 2), "one package is there already");
    read(&before, &place.files.borrow()).expect("the old one can still be read");
    let done = publish(&second, &place, 1).expect("published");
    assert!(done.removed.contains(&"Packages/a-1-1.noarch.rpm".to_owned()));
    let mut expected = whole(&second);
    expected.insert("by-hand.txt".to_owned(), b"of somebody else".to_vec());
    assert_eq!(without_record(&place.files.borrow()), expected);
    // The same one, copied by hand: only the record is new.
    let place = Memory::with(published(first.path()));
    assert!(publish(&first, &place, 2).expect("published").written);
    assert_eq!(place.steps.get(), 1);
    assert!(place.files.borrow().contains_key(RECORD));
}

#[test]
fn what_was_lost_or_damaged_there_is_put_again() {
    let folder = repository(&[("a", "1"), ("b", "1")]);
    let place = Memory::default();
    publish(&folder, &place, 2).expect("published");
    let whole = place.files.borrow().clone();
    for name in whole.keys().filter(|name| *name != RECORD) {
        place.files.borrow_mut().remove(name);
        assert!(publish(&folder, &place, 2).expect("published").written, "{name}");
        assert_eq!(*place.files.borrow(), whole, "{name}");
    }
    for name in ["Packages/a-1-1.noarch.rpm", REPOMD, SIGNATURE] {
        place.files.borrow_mut().insert(name.to_owned(), b"short".to_vec());
        publish(&folder, &place, 2).expect("published");
        assert_eq!(place.files.borrow().get(name), whole.get(name), "{name}");
    }
}

/// Back to what was there before: each file is there once.
#[test]
fn an_older_repository_can_be_published_again() {
    let (first, second) = (repository(&[("a", "1")]), repository(&[("b", "1")]));
    let place = Memory::default();
    for folder in [&first, &second, &first] {
        let before = place.files.borrow().clone();
        publish(folder, &place, 2).expect("published");
        let now = place.files.borrow().clone();
        read(&now, &now).expect("the new one");
        if before.contains_key(REPOMD) {
            read(&before, &now).expect("the old one");
        }
    }
}
