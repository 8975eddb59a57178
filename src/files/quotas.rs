//! How much may be shared: by anybody, by all, and by one address. It counts, and knows nothing of disks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::UploadId;
use crate::options::FileLimits;
use crate::rooms::{Address, FileId};

/// Each file counts so much at least: that is what a disk takes for it.
const LEAST_BYTES: u64 = 4096;

/// Files that may arrive at once from one address.
const MOST_UPLOADS: u32 = 16;

/// After this it is worth trying again, if too many files are arriving.
const UPLOADS_RETRY_MS: u64 = 5_000;

/// After this it is worth trying again, if an address has shared its part.
const SHARE_RETRY_MS: u64 = 60_000;

/// Why a file may not be shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UploadRefusal {
    /// It is too large.
    TooLarge {
        /// Bytes that it may have.
        limit_bytes: u64,
    },
    /// There is no space for it beside the other files.
    Full,
    /// This address has shared too much, or shares too many at once.
    TooMany {
        /// When it is worth trying again.
        retry_ms: u64,
    },
}

/// A file that is arriving.
struct Arriving {
    address: Address,
    /// Bytes that have come.
    arrived_bytes: u64,
    /// Bytes that are kept free for it.
    reserved_bytes: u64,
}

/// What has come from an address since the program started, and is there.
#[derive(Default)]
struct Share {
    uploads: u32,
    bytes: u64,
}

/// A file that is kept.
struct Kept {
    bytes: u64,
    /// `None`: from before this program started.
    address: Option<Address>,
}

/// Counts the bytes of all files, kept and arriving.
pub struct Quotas {
    limits: FileLimits,
    /// Of all files, kept and arriving.
    used_bytes: u64,
    arriving: HashMap<UploadId, Arriving>,
    kept: HashMap<FileId, Kept>,
    shares: HashMap<Address, Share>,
}

impl Quotas {
    /// `kept`: the files that are there already, and their bytes.
    pub fn new(limits: FileLimits, kept: impl Iterator<Item = (FileId, u64)>) -> Quotas {
        let kept = kept.map(|(id, bytes)| (id, Kept { bytes: bytes.max(LEAST_BYTES), address: None }));
        let kept: HashMap<FileId, Kept> = kept.collect();
        let used_bytes = kept.values().map(|kept| kept.bytes).sum();
        Quotas { limits, used_bytes, arriving: HashMap::new(), kept, shares: HashMap::new() }
    }

    /// From now on these count: what is kept already stays, and what arrives is looked at as it comes.
    pub fn set_limits(&mut self, limits: FileLimits) {
        self.limits = limits;
    }

    /// Bytes of all files, kept and arriving.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// How many files are kept.
    pub fn kept_files(&self) -> usize {
        self.kept.len()
    }

    /// Bytes that all files may have.
    pub fn limit_bytes(&self) -> u64 {
        self.limits.all_bytes
    }

    /// A file is to arrive, of so many bytes if that is known: they are kept free for it.
    ///
    /// # Errors
    /// It may not.
    pub fn begin(
        &mut self,
        upload: UploadId,
        address: Address,
        declared_bytes: Option<u64>,
    ) -> Result<(), UploadRefusal> {
        let declared_bytes = declared_bytes.unwrap_or(0);
        self.check_size(declared_bytes)?;
        if self.shares.get(&address).is_some_and(|share| share.uploads >= MOST_UPLOADS) {
            return Err(UploadRefusal::TooMany { retry_ms: UPLOADS_RETRY_MS });
        }
        let reserved_bytes = declared_bytes.max(LEAST_BYTES);
        self.check_space(address, reserved_bytes)?;
        self.take(address, reserved_bytes);
        self.shares.entry(address).or_default().uploads += 1;
        self.arriving.insert(upload, Arriving { address, arrived_bytes: 0, reserved_bytes });
        Ok(())
    }

    /// So many more bytes of it have come.
    ///
    /// # Errors
    /// They may not be stored: it has to be abandoned.
    pub fn grow(&mut self, upload: UploadId, bytes: u64) -> Result<(), UploadRefusal> {
        let Some(arriving) = self.arriving.get(&upload) else { return Err(UploadRefusal::Full) };
        let arrived_bytes = arriving.arrived_bytes.saturating_add(bytes);
        let (address, more_bytes) = (arriving.address, arrived_bytes.saturating_sub(arriving.reserved_bytes));
        self.check_size(arrived_bytes)?;
        if more_bytes > 0 {
            self.check_space(address, more_bytes)?;
            self.take(address, more_bytes);
        }
        if let Some(arriving) = self.arriving.get_mut(&upload) {
            arriving.arrived_bytes = arrived_bytes;
            arriving.reserved_bytes += more_bytes;
        }
        Ok(())
    }

    /// It is kept, and takes what it has instead of what was kept free for it.
    pub fn finish(&mut self, upload: UploadId, id: FileId, size_bytes: u64) {
        let Some(arriving) = self.end(upload) else { return };
        // A rewritten picture may be longer by a few bytes, which nobody has checked.
        let bytes = size_bytes.clamp(LEAST_BYTES, arriving.reserved_bytes);
        self.take(arriving.address, bytes);
        self.kept.insert(id, Kept { bytes, address: Some(arriving.address) });
    }

    /// A file is kept, of so many bytes: if it did not arrive here, another node has shared it.
    pub fn note_kept(&mut self, id: FileId, size_bytes: u64) {
        let bytes = size_bytes.max(LEAST_BYTES);
        if let Entry::Vacant(entry) = self.kept.entry(id) {
            entry.insert(Kept { bytes, address: None });
            self.used_bytes += bytes;
        }
    }

    /// These are the files that are kept, and no others, whatever was counted before; what arrives goes on to.
    pub fn recount(&mut self, kept: impl Iterator<Item = (FileId, u64)>) {
        let known: HashMap<FileId, u64> = kept.collect();
        let over: Vec<FileId> = self.kept.keys().filter(|id| !known.contains_key(*id)).copied().collect();
        over.into_iter().for_each(|id| self.remove(id));
        known.into_iter().for_each(|(id, size_bytes)| self.note_kept(id, size_bytes));
    }

    /// It will not arrive.
    pub fn abandon(&mut self, upload: UploadId) {
        self.end(upload);
    }

    /// A file is kept no more.
    pub fn remove(&mut self, id: FileId) {
        let Some(kept) = self.kept.remove(&id) else { return };
        match kept.address {
            Some(address) => self.give_back(address, kept.bytes),
            None => self.used_bytes -= kept.bytes,
        }
    }

    /// Bytes that one address may have shared: a quarter, and one file in any case.
    fn share_bytes(&self) -> u64 {
        (self.limits.all_bytes / 4).max(self.limits.file_bytes)
    }

    fn check_size(&self, bytes: u64) -> Result<(), UploadRefusal> {
        let limit_bytes = self.limits.file_bytes;
        if bytes > limit_bytes { Err(UploadRefusal::TooLarge { limit_bytes }) } else { Ok(()) }
    }

    fn check_space(&self, address: Address, more_bytes: u64) -> Result<(), UploadRefusal> {
        if self.used_bytes.saturating_add(more_bytes) > self.limits.all_bytes {
            return Err(UploadRefusal::Full);
        }
        let shared_bytes = self.shares.get(&address).map_or(0, |share| share.bytes);
        if shared_bytes.saturating_add(more_bytes) > self.share_bytes() {
            return Err(UploadRefusal::TooMany { retry_ms: SHARE_RETRY_MS });
        }
        Ok(())
    }

    fn take(&mut self, address: Address, bytes: u64) {
        self.used_bytes += bytes;
        self.shares.entry(address).or_default().bytes += bytes;
    }

    fn give_back(&mut self, address: Address, bytes: u64) {
        self.used_bytes -= bytes;
        if let Some(share) = self.shares.get_mut(&address) {
            share.bytes -= bytes;
            if share.bytes == 0 && share.uploads == 0 {
                self.shares.remove(&address);
            }
        }
    }

    fn end(&mut self, upload: UploadId) -> Option<Arriving> {
        let arriving = self.arriving.remove(&upload)?;
        if let Some(share) = self.shares.get_mut(&arriving.address) {
            share.uploads -= 1;
        }
        self.give_back(arriving.address, arriving.reserved_bytes);
        Some(arriving)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: FileLimits = FileLimits { file_bytes: 20_000, all_bytes: 100_000 };
    const SHARE_BYTES: u64 = 25_000;

    fn address(number: u8) -> Address {
        Address::from(core::net::IpAddr::from([10, 0, 0, number]))
    }

    fn id(number: u64) -> FileId {
        FileId::parse(&format!("{number:032x}")).expect("an id")
    }

    fn quotas() -> Quotas {
        Quotas::new(LIMITS, std::iter::empty())
    }

    #[test]
    fn what_is_too_large_is_refused_by_its_length_and_by_its_bytes() {
        let mut quotas = quotas();
        let too_large = Err(UploadRefusal::TooLarge { limit_bytes: 20_000 });
        assert_eq!(quotas.begin(UploadId(1), address(1), Some(20_001)), too_large);
        assert_eq!(quotas.begin(UploadId(2), address(1), Some(u64::MAX)), too_large);
        assert_eq!(quotas.begin(UploadId(3), address(1), None), Ok(()));
        assert_eq!(quotas.grow(UploadId(3), 20_000), Ok(()));
        assert_eq!(quotas.grow(UploadId(3), 1), too_large);
        quotas.abandon(UploadId(3));
        assert_eq!(quotas.used_bytes(), 0);
        assert_eq!(quotas.begin(UploadId(4), address(1), Some(20_000)), Ok(()));
    }

    #[test]
    fn an_address_has_a_quarter_of_it_and_sixteen_files_at_once() {
        let mut quotas = quotas();
        let share_taken = Err(UploadRefusal::TooMany { retry_ms: SHARE_RETRY_MS });
        assert_eq!(quotas.begin(UploadId(1), address(1), Some(20_000)), Ok(()));
        quotas.finish(UploadId(1), id(1), 20_000);
        assert_eq!(quotas.begin(UploadId(2), address(1), Some(6_000)), share_taken);
        assert_eq!(quotas.begin(UploadId(2), address(2), Some(6_000)), Ok(()));
        quotas.remove(id(1));
        assert_eq!(quotas.begin(UploadId(3), address(1), Some(6_000)), Ok(()));

        let mut quotas = Quotas::new(FileLimits::default(), std::iter::empty());
        for number in 0..16 {
            assert_eq!(quotas.begin(UploadId(number), address(1), None), Ok(()));
        }
        let at_once = Err(UploadRefusal::TooMany { retry_ms: UPLOADS_RETRY_MS });
        assert_eq!(quotas.begin(UploadId(16), address(1), None), at_once);
        assert_eq!(quotas.begin(UploadId(17), address(2), None), Ok(()));
        quotas.abandon(UploadId(0));
        assert_eq!(quotas.begin(UploadId(18), address(1), None), Ok(()));
    }

    #[test]
    fn one_file_of_the_largest_size_may_always_be_shared() {
        let mut quotas = Quotas::new(FileLimits { file_bytes: 90_000, all_bytes: 100_000 }, std::iter::empty());
        assert_eq!(quotas.begin(UploadId(1), address(1), Some(90_000)), Ok(()));
    }

    #[test]
    fn what_is_there_from_before_counts_and_is_nobodys() {
        let mut quotas = Quotas::new(LIMITS, [(id(1), 90_000), (id(2), 1)].into_iter());
        assert_eq!(quotas.used_bytes(), 94_096);
        assert_eq!(quotas.begin(UploadId(1), address(1), Some(6_000)), Err(UploadRefusal::Full));
        quotas.remove(id(2));
        assert_eq!(quotas.begin(UploadId(1), address(1), Some(6_000)), Ok(()));
        quotas.remove(id(2));
        quotas.remove(id(1));
        assert_eq!(quotas.used_bytes(), 6_000);
        let more = Quotas::new(LIMITS, [(id(1), 200_000)].into_iter()).begin(UploadId(1), address(1), None);
        assert_eq!(more, Err(UploadRefusal::Full), "the limit may have been lowered");
    }

    #[test]
    fn what_another_node_shares_counts_here_as_well() {
        let mut quotas = quotas();
        assert_eq!(quotas.begin(UploadId(1), address(1), Some(20_000)), Ok(()));
        quotas.finish(UploadId(1), id(1), 20_000);
        quotas.note_kept(id(1), 20_000);
        quotas.note_kept(id(2), 75_000);
        quotas.note_kept(id(2), 75_000);
        assert_eq!((quotas.used_bytes(), quotas.kept_files()), (95_000, 2));
        assert_eq!(quotas.begin(UploadId(2), address(2), Some(6_000)), Err(UploadRefusal::Full));
        // Everything was loaded anew.
        assert_eq!(quotas.begin(UploadId(3), address(2), Some(5_000)), Ok(()));
        quotas.recount([(id(1), 20_000), (id(3), 1)].into_iter());
        assert_eq!((quotas.used_bytes(), quotas.kept_files()), (20_000 + 4_096 + 5_000, 2));
        quotas.remove(id(1));
        quotas.finish(UploadId(3), id(4), 5_000);
        assert_eq!(quotas.used_bytes(), 4_096 + 5_000);
        assert_eq!(
            quotas.begin(UploadId(4), address(1), Some(20_000)),
            Ok(()),
            "what an address has shared is its own"
        );
    }

    #[derive(Clone, Debug)]
    enum Step {
        Begin(u64, u8, Option<u64>),
        Grow(u64, u64),
        Finish(u64),
        Abandon(u64),
        Remove(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..30u64, 0..5u8, prop::option::of(0..22_000u64)).prop_map(|(upload, address, declared)| {
                Step::Begin(upload, address, declared)
            }),
            4 => (0..30u64, 0..9_000u64).prop_map(|(upload, bytes)| Step::Grow(upload, bytes)),
            2 => (0..30u64).prop_map(Step::Finish),
            1 => (0..30u64).prop_map(Step::Abandon),
            1 => (0..30u64).prop_map(Step::Remove),
        ]
    }

    /// Files as they would be counted by looking at each of them.
    #[derive(Default)]
    struct Model {
        /// By whom, bytes that have come, bytes that were told of.
        arriving: HashMap<u64, (u8, u64, u64)>,
        kept: HashMap<u64, (u8, u64)>,
    }

    impl Model {
        fn bytes(&self, counts: impl Fn(u8) -> bool) -> u64 {
            let arriving = self.arriving.values().map(|&(by, arrived, declared)| (by, arrived.max(declared)));
            let all = arriving.chain(self.kept.values().copied());
            all.filter(|(by, _)| counts(*by)).map(|(_, bytes)| bytes.max(LEAST_BYTES)).sum()
        }

        fn is_within_limits(&self, by: u8) -> bool {
            self.bytes(|_| true) <= LIMITS.all_bytes && self.bytes(|other| other == by) <= SHARE_BYTES
        }
    }

    proptest! {
        #[test]
        fn it_counts_as_if_each_file_were_looked_at(steps in prop::collection::vec(step(), 0..200)) {
            let (mut quotas, mut model) = (quotas(), Model::default());
            for step in steps {
                match step {
                    Step::Begin(upload, ..) if model.arriving.contains_key(&upload) => {}
                    Step::Begin(upload, by, declared) => {
                        let is_taken = quotas.begin(UploadId(upload), address(by), declared).is_ok();
                        model.arriving.insert(upload, (by, 0, declared.unwrap_or(0)));
                        let fits = model.is_within_limits(by) && declared.unwrap_or(0) <= LIMITS.file_bytes;
                        prop_assert_eq!(is_taken, fits);
                        if !is_taken {
                            model.arriving.remove(&upload);
                        }
                    }
                    Step::Grow(upload, bytes) => {
                        let is_taken = quotas.grow(UploadId(upload), bytes).is_ok();
                        let Some(&before) = model.arriving.get(&upload) else {
                            prop_assert!(!is_taken);
                            continue;
                        };
                        let (by, arrived, declared) = before;
                        model.arriving.insert(upload, (by, arrived + bytes, declared));
                        prop_assert_eq!(is_taken, model.is_within_limits(by) && arrived + bytes <= LIMITS.file_bytes);
                        if !is_taken {
                            model.arriving.insert(upload, before);
                        }
                    }
                    Step::Finish(upload) => {
                        let size_bytes = model.arriving.get(&upload).map_or(0, |(_, arrived, _)| *arrived);
                        if model.kept.contains_key(&upload) {
                            continue;
                        }
                        quotas.finish(UploadId(upload), id(upload), size_bytes);
                        if let Some((by, arrived, _)) = model.arriving.remove(&upload) {
                            model.kept.insert(upload, (by, arrived));
                        }
                    }
                    Step::Abandon(upload) => {
                        quotas.abandon(UploadId(upload));
                        model.arriving.remove(&upload);
                    }
                    Step::Remove(upload) => {
                        quotas.remove(id(upload));
                        model.kept.remove(&upload);
                    }
                }
                prop_assert_eq!(quotas.used_bytes(), model.bytes(|_| true));
                prop_assert!(quotas.used_bytes() <= LIMITS.all_bytes);
            }
            for number in 0..30 {
                quotas.abandon(UploadId(number));
                quotas.remove(id(number));
            }
            prop_assert_eq!(quotas.used_bytes(), 0);
            prop_assert!(quotas.shares.is_empty());
        }
    }
}
