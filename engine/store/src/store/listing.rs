//! Lists, a slice at a time: between two names that hold something may lie millions that do not any more, and nobody waits for them but who
//! asked.

use std::collections::VecDeque;

use types::{Epoch, Level, Outcome, Place, Status};

use super::Store;
use super::execute::Stop;
use crate::arena::catch_fault;
use crate::command::{Reply, Token};
use crate::index::{self, Names, View};
use crate::probe::Probe;

/// A list under way.
pub(super) struct Listing {
    pub(super) token: Token,
    pub(super) place: Place,
    pub(super) level: Level,
    /// Most names.
    pub(super) limit: u32,
    pub(super) epoch: Epoch,
    /// What was found, and how far.
    pub(super) names: Names,
    /// The newest that was looked at.
    pub(super) seen: Epoch,
    /// Its container was destroyed.
    pub(super) is_gone: bool,
}

/// Those that are not done. Only so many hold names: the others have not begun.
pub(super) type Listings = VecDeque<Listing>;

/// Lists that take turns. The names that one holds are up to 4 MiB.
const ACTIVE_MOST: usize = 16;

impl Store {
    /// The next slice of a list. The rest comes with the turns; the container, and the past that is listed, must still be there then.
    pub(super) fn list(&mut self, mut listing: Listing) -> Result<(), Stop> {
        let container = self.container(listing.place).filter(|_| !listing.is_gone);
        let container = container.ok_or((Status::NoHandle, self.log.last_epoch()))?;
        self.check_history(container, listing.epoch)?;
        let view = View::new(&self.arena, container, listing.epoch);
        let unfinished = index::list(&view, &listing.level, &mut listing.names, listing.limit);
        listing.seen = listing.seen.max(view.seen());
        let answer = match unfinished {
            Ok(true) => {
                Probe::ListInSlices.hit();
                let at = self.listings.len().min(ACTIVE_MOST - 1);
                self.listings.insert(at, listing);
                return Ok(());
            }
            Ok(false) => Ok(Outcome::Listed { names: listing.names.names, more: listing.names.more }),
            Err(status) => Err(status),
        };
        self.reply_read(listing.seen, listing.token, Reply::Operated(answer));
        Ok(())
    }

    /// The first slice of a list, unless many are under way.
    pub(super) fn begin_list(&mut self, listing: Listing) -> Result<(), Stop> {
        if self.listings.len() < ACTIVE_MOST {
            return self.list(listing);
        }
        self.listings.push_back(listing);
        Ok(())
    }

    /// Lists of what is destroyed end, whatever is made anew at its place.
    pub(super) fn forget_lists(&mut self, of: impl Fn(Place) -> bool) {
        self.listings.iter_mut().filter(|listing| of(listing.place)).for_each(|listing| listing.is_gone = true);
    }

    /// A slice of the list that has waited longest.
    pub(super) fn list_on(&mut self) {
        let Some(listing) = self.listings.pop_front() else { return };
        let token = listing.token;
        self.arena.unpin();
        let listed = catch_fault(|| self.list(listing)).unwrap_or_else(|fault| {
            self.page_fault(&fault);
            Err(Status::Io.into())
        });
        if let Err(Stop::Refused(status, seen)) = listed {
            self.reply_read(seen, token, Reply::Operated(Err(status)));
        }
    }
}
