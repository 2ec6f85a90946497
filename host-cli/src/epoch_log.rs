//! A row an epoch for other programs: a CSV file, and TensorBoard's event files.
//!
//! Both are written as the run goes on, so that `tail -f` and TensorBoard follow it. A resumed run begins the CSV file anew with
//! the epochs that are done; TensorBoard reads all event files of a folder, each of which has the epochs of one process.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use crc::{CRC_32_ISCSI, Crc};
use picomlp_train::event::Epoch;
use picomlp_train::output::write_file;

use crate::text::warn;

/// What is measured of an epoch, by the names that history.jsonl has.
fn columns(epoch: &Epoch) -> [(&'static str, Option<f64>); 7] {
    [
        ("train_loss", epoch.train_loss),
        ("train_accuracy", epoch.train_accuracy),
        ("val_loss", epoch.val_loss),
        ("val_accuracy", epoch.val_accuracy),
        ("val_r2", epoch.val_r2),
        // The digits of an f32, as everywhere else.
        ("lr", epoch.lr.to_string().parse().ok()),
        ("seconds", Some(epoch.seconds)),
    ]
}

/// The files that each epoch is added to.
#[derive(Debug, Default)]
pub(crate) struct EpochLog {
    csv: Option<File>,
    events: Option<File>,
}

impl EpochLog {
    /// Begins the files that are asked for; the CSV file with the epochs that are done.
    ///
    /// # Errors
    ///
    /// If one cannot be written, naming it.
    pub(crate) fn begin(csv: Option<&Path>, events: Option<&Path>, done: &[Epoch]) -> Result<Self> {
        let mut log = Self::default();
        if let Some(path) = csv {
            let names = columns(&Epoch::default()).map(|(name, _)| name).join(",");
            let rows: String = done.iter().map(csv_row).collect();
            write_file(path, format!("epoch,{names}\n{rows}").as_bytes())?;
            let file = OpenOptions::new().append(true).open(path);
            log.csv = Some(file.with_context(|| format!("cannot write {}", path.display()))?);
        }
        if let Some(folder) = events {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            // TensorBoard reads every file whose name has `tfevents` in it, in the order of the names.
            let nanoseconds = wall_time().as_nanos();
            let path = folder.join(format!("events.out.tfevents.{nanoseconds:020}.picomlp"));
            let version = field(3, b"brain.Event:2");
            let file = File::create_new(&path).and_then(|mut file| {
                file.write_all(&record(&event(&version)))?;
                Ok(file)
            });
            log.events = Some(file.with_context(|| format!("cannot write {}", path.display()))?);
        }
        Ok(log)
    }

    /// Adds an epoch. A file that cannot take it is no reason to stop training: it is named, and gets no more.
    pub(crate) fn add(&mut self, epoch: &Epoch) {
        let files = [
            (&mut self.csv, csv_row(epoch).into_bytes(), "--log"),
            (&mut self.events, scalars(epoch), "--tensorboard"),
        ];
        for (file, row, flag) in files {
            let written = file.as_mut().map_or(Ok(()), |file| file.write_all(&row));
            if let Err(error) = written {
                warn(&format!("{flag} ends here, and training goes on: {error}"));
                *file = None;
            }
        }
    }
}

fn csv_row(epoch: &Epoch) -> String {
    let cell = |(_, value): (_, Option<f64>)| value.map_or_else(String::new, |v| v.to_string());
    format!("{},{}\n", epoch.epoch, columns(epoch).map(cell).join(","))
}

/// The values of an epoch as an event: `Event { wall_time: 1, step: 2, summary: 5 }`, `Summary { value: 1 }`,
/// `Value { tag: 1, simple_value: 2 }`, as tensorflow/core/util/event.proto and summary.proto have them.
fn scalars(epoch: &Epoch) -> Vec<u8> {
    let values = columns(epoch).into_iter().filter_map(|(tag, value)| Some((tag, value?)));
    let summary = values.flat_map(|(tag, value)| {
        let simple_value = [&[2 << 3 | 5][..], &(value as f32).to_le_bytes()].concat();
        field(1, &[field(1, tag.as_bytes()), simple_value].concat())
    });
    let summary = field(5, &summary.collect::<Vec<_>>());
    record(&event(&[[&[2 << 3][..], &varint(epoch.epoch.into())].concat(), summary].concat()))
}

/// An event at this time, with these fields.
fn event(fields: &[u8]) -> Vec<u8> {
    [&[1 << 3 | 1][..], &wall_time().as_secs_f64().to_le_bytes(), fields].concat()
}

fn wall_time() -> core::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A field of protobuf that has a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A TFRecord: length, its checksum, bytes, their checksum. Checksums are CRC-32C, rotated and moved, because data holds
/// checksums as well.
fn record(bytes: &[u8]) -> Vec<u8> {
    const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    let masked = |bytes: &[u8]| {
        CRC32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let len = (bytes.len() as u64).to_le_bytes();
    [&len[..], &masked(&len), bytes, &masked(bytes)].concat()
}
