//! Cuts the power at every single and every pair of operations of a save, torn in every way; trains through it.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests; these are helpers of tests"
)]

mod flash;

use flash::{ALL_TORN, Failure, Flash, PAGE, PAGES, Torn};
use picomlp::{Adam, Buffers, Init, Mlp, Network, Optimizer, Trainer, fingerprint};
use picomlp_store::{Saved, Store, StoreError};

/// All pages but the first, which is somebody else's, and the last.
const REGION: core::ops::Range<u32> = PAGE as u32..((PAGES - 1) * PAGE) as u32;

fn open(flash: Flash) -> Store<Flash> {
    Store::open(flash, REGION).unwrap()
}

/// What was saved, as a program would find it.
fn found(flash: &Flash) -> Option<Vec<u8>> {
    let mut store = open(flash.restarted());
    let mut buffer = vec![0; store.room()];
    let len = store.load(&mut buffer).unwrap()?;
    Some(buffer[..len].to_vec())
}

fn payload(number: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(7) ^ number).collect()
}

/// A save of which the power lasts for some operations; the flash afterwards, and whether the save returned.
fn saved_until(flash: &Flash, payload: &[u8], cut: Option<(usize, Torn)>) -> (Flash, bool) {
    let mut store = open(flash.with_cut(cut));
    let result = store.save(payload);
    assert!(matches!(result, Ok(()) | Err(StoreError::Flash(Failure::Power))), "{result:?}");
    (store.into_flash().restarted(), result.is_ok())
}

fn operations_of_a_save(flash: &Flash, payload: &[u8]) -> usize {
    saved_until(flash, payload, None).0.operations - flash.operations
}

/// Flash in which a payload was saved twice, so that both slots are in use.
fn used() -> Flash {
    let (flash, _) = saved_until(&Flash::new(), &payload(1, 300), None);
    saved_until(&flash, &payload(2, 260), None).0
}

#[test]
fn a_save_that_is_cut_anywhere_leaves_the_old_or_the_new() {
    let (mut cuts, mut kept) = (0, 0);
    for (flash, old) in [(Flash::new(), None), (used(), Some(payload(2, 260)))] {
        let new = payload(3, 291);
        for operation in 1..=operations_of_a_save(&flash, &new) {
            for torn in ALL_TORN {
                let (after, returned) = saved_until(&flash, &new, Some((operation, torn)));
                let state = found(&after);
                assert!(
                    !returned && (state == old || state.as_ref() == Some(&new)),
                    "{operation} {torn:?}"
                );
                kept += usize::from(state == old);
                cuts += 1;
                // And the next save is as good as ever.
                let (after, _) = saved_until(&after, &payload(4, 200), None);
                assert_eq!(found(&after), Some(payload(4, 200)), "{operation} {torn:?}");
            }
        }
    }
    println!("{cuts} cuts, {kept} of them before the new state counted: none lost");
}

#[test]
fn two_saves_that_are_cut_anywhere_leave_one_of_the_three() {
    let (flash, old, first, second) = (used(), payload(2, 260), payload(3, 160), payload(4, 130));
    let mut pairs = 0;
    for a in 1..=operations_of_a_save(&flash, &first) {
        for torn_a in ALL_TORN {
            let (between, _) = saved_until(&flash, &first, Some((a, torn_a)));
            let before = found(&between);
            assert!([&old, &first].into_iter().any(|state| before.as_ref() == Some(state)));
            for b in 1..=operations_of_a_save(&between, &second) {
                for torn_b in ALL_TORN {
                    let (after, _) = saved_until(&between, &second, Some((b, torn_b)));
                    let state = found(&after);
                    assert!(
                        state == before || state.as_ref() == Some(&second),
                        "{a} {torn_a:?} {b} {torn_b:?}"
                    );
                    pairs += 1;
                }
            }
        }
    }
    println!("{pairs} pairs of cuts: none lost");
}

#[test]
fn any_bit_that_rots_is_noticed_and_the_older_slot_takes_over() {
    let flash = used();
    for bit in 0..8 * flash.bytes.len() {
        let mut rotten = flash.clone();
        rotten.bytes[bit / 8] ^= 1 << (bit % 8);
        let state = found(&rotten);
        let known = [payload(2, 260), payload(1, 300)];
        assert!(known.iter().any(|known| state.as_ref() == Some(known)), "bit {bit}");
    }
}

#[test]
fn saves_take_turns_and_touch_nothing_outside() {
    let mut store = open(Flash::new());
    assert_eq!((store.newest(), store.room()), (None, 3 * PAGE - 32));
    for number in 1..=20 {
        store.save(&payload(number, 300)).unwrap();
        let generation = u32::from(number);
        assert_eq!(store.newest(), Some(Saved { generation, len: 300 }));
    }
    let (fresh, flash) = (Flash::new(), store.into_flash());
    assert_eq!(flash.erases, [0, 10, 10, 10, 10, 10, 10, 0]);
    assert_eq!(
        (&flash.bytes[..PAGE], &flash.bytes[7 * PAGE..]),
        (&fresh.bytes[..PAGE], &fresh.bytes[7 * PAGE..])
    );
}

#[test]
fn a_save_in_pieces_is_a_save_and_one_that_is_not_finished_is_none() {
    let (all, mut store) = (payload(9, 333), open(used()));
    let mut save = store.begin(all.len()).unwrap();
    while save.erase_next().unwrap() {}
    for piece in all.chunks(7) {
        save.write(piece).unwrap();
    }
    save.finish().unwrap();
    let mut buffer = [0; 400];
    assert_eq!(store.load(&mut buffer), Ok(Some(333)));
    assert_eq!(buffer[..333], all);

    let mut save = store.begin(10).unwrap();
    save.write(&[1; 4]).unwrap();
    assert_eq!(save.write(&[1; 7]), Err(StoreError::Length { expected: 10, got: 11 }));
    assert_eq!(save.finish(), Err(StoreError::Length { expected: 10, got: 4 }));
    assert_eq!(found(&store.into_flash()), Some(all));
}

#[test]
fn what_cannot_be_is_refused() {
    let region = |region| Store::open(Flash::new(), region).map(drop);
    let (page, capacity) = (PAGE as u32, (PAGE * PAGES) as u32);
    for wrong in [0..page, 5..5 + 2 * page, capacity - page..capacity + page] {
        assert_eq!(region(wrong), Err(StoreError::Region { page, capacity }));
    }
    let mut store = open(used());
    let room = store.room();
    assert_eq!(store.save(&vec![0; room + 1]), Err(StoreError::TooLong { len: room + 1, room }));
    let short = Err(StoreError::BufferTooShort { needed: 260, got: 259 });
    assert_eq!(store.load(&mut [0; 259]), short);
}

type Net = Mlp<6, 2, 3>;

/// Parameters and moments, the number of steps in front: what is saved.
fn bytes_of(trainer: &Trainer<'_, Net, Adam, Vec<f32>, Vec<f32>, Vec<f32>>) -> Vec<u8> {
    let numbers = trainer.params().iter().chain(trainer.state());
    let numbers = numbers.flat_map(|number| number.to_le_bytes());
    trainer.steps().to_le_bytes().into_iter().chain(numbers).collect()
}

fn trainer(bytes: Option<&[u8]>) -> Trainer<'static, Net, Adam, Vec<f32>, Vec<f32>, Vec<f32>> {
    let (mut steps, mut params) = (0, vec![0.0; Net::PARAMS]);
    let mut state = vec![0.0; Adam::state_len(Net::PARAMS)];
    Net::default().init(&mut params, Init::He, 1).unwrap();
    if let Some((first, rest)) = bytes.and_then(|bytes| bytes.split_first_chunk()) {
        steps = u64::from_le_bytes(*first);
        let numbers = rest.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        params.iter_mut().chain(&mut state).zip(numbers).for_each(|(to, number)| *to = number);
    }
    let mut adam = Adam::new(0.01);
    adam.set_steps(steps);
    let buffers = Buffers { params, state, workspace: vec![0.0; Net::train_scratch(1)] };
    Trainer::new(Net::default(), adam, buffers).unwrap().with_seed(0, steps)
}

/// Trains on from what the flash holds, and saves after every fourth step.
fn train(flash: Flash) -> (Flash, Result<u64, ()>) {
    let mut store = Store::open(flash, 0..(PAGE * PAGES) as u32).unwrap();
    let mut buffer = [0; 4 * PAGE];
    let len = store.load(&mut buffer).unwrap();
    let mut trainer = trainer(len.map(|len| &buffer[..len]));
    while trainer.steps() < 12 {
        let mut x = [0; 6];
        picomlp_fixtures::sparse_pixels(&mut x, trainer.steps(), 100);
        trainer.step(&x, &[(trainer.steps() % 3) as u8]).unwrap();
        if trainer.steps().is_multiple_of(4) && store.save(&bytes_of(&trainer)).is_err() {
            return (store.into_flash().restarted(), Err(()));
        }
    }
    let hash = fingerprint::fnv1a(fingerprint::FNV_OFFSET, &bytes_of(&trainer));
    (store.into_flash(), Ok(hash))
}

#[test]
fn training_that_is_cut_anywhere_ends_in_the_fingerprint_of_one_that_was_not() {
    let (flash, unbroken) = train(Flash::new());
    assert!(bytes_of(&trainer(None)).len() + 32 <= 4 * PAGE, "a slot is too small");
    for operation in 1..=flash.operations {
        for torn in ALL_TORN {
            let cut = Some((operation, torn));
            let (flash, stopped) = train(Flash::new().with_cut(cut));
            assert_eq!(stopped, Err(()), "{operation} {torn:?}");
            assert_eq!(train(flash).1, unbroken, "{operation} {torn:?}");
        }
    }
}
