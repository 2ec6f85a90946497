//! The rows of a CSV file, and sentences about them.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use ::csv::{ByteRecord, Reader, ReaderBuilder};
use anyhow::{Result, anyhow, ensure};

use super::cell::shown;
use crate::data::input::Input;
use crate::data::schema::CsvDelimiter;

/// Bytes of a row at most: two million pixels, and what a row of empty fields may cost.
const MOST_ROW: usize = 8 << 20;

/// The rows of a file.
pub(super) struct Rows<'a> {
    path: &'a Path,
    reader: Reader<Capped>,
    pub(super) delimiter: u8,
    /// Whether an empty last field was dropped.
    drops_last: bool,
    /// The fields of the first row.
    count: Option<usize>,
}

/// Reads on, up to a number of bytes that is set anew for each row, so that a field without an end does not fill the memory.
struct Capped {
    input: Input,
    left: usize,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let what =
                format!("a row has more than {} MiB: no end of it was found", MOST_ROW >> 20);
            return Err(io::Error::new(ErrorKind::FileTooLarge, what));
        }
        let most = buffer.len().min(self.left);
        let read = self.input.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

impl<'a> Rows<'a> {
    /// Finds out what separates the fields. Lines that begin with `#` are comments, and `sep=;` is Excel's word to itself.
    pub(super) fn new(path: &'a Path, mut input: Input, delimiter: CsvDelimiter) -> Result<Self> {
        let start = input.start();
        let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let told = start[mark..].strip_prefix(b"sep=").and_then(|rest| rest.first().copied());
        let told = told.filter(|byte| b";,\t ".contains(byte));
        let is_data = |line: &&[u8]| !line.trim_ascii().is_empty() && !line.starts_with(b"#");
        let line = start[mark..].split(|byte| *byte == b'\n').find(is_data);
        let line = line.unwrap_or_default().trim_ascii();
        // Commas last but for spaces: beside other delimiters they may be decimal points.
        let first = *b";\t, ".iter().find(|byte| line.contains(byte)).unwrap_or(&b',');
        if told.is_some() {
            let line =
                start.iter().position(|byte| *byte == b'\n').map_or(start.len(), |at| at + 1);
            io::copy(&mut input.by_ref().take(line as u64), &mut io::sink())
                .map_err(|error| input.explain(error))?;
        }
        let delimiter = match delimiter {
            CsvDelimiter::Auto => told.unwrap_or(first),
            CsvDelimiter::Comma => b',',
            CsvDelimiter::Semicolon => b';',
            CsvDelimiter::Tab => b'\t',
            CsvDelimiter::Space => b' ',
        };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .delimiter(delimiter)
            .from_reader(Capped { input, left: 0 });
        Ok(Self { path, reader, delimiter, drops_last: false, count: None })
    }

    /// Reads the next row; returns false at the end. Skips empty lines, and an empty field after the last column.
    pub(super) fn next(&mut self, record: &mut ByteRecord) -> Result<bool> {
        loop {
            self.reader.get_mut().left = MOST_ROW;
            let is_row = self.reader.read_byte_record(record);
            let is_row = is_row.map_err(|error| match error.into_kind() {
                ::csv::ErrorKind::Io(error) => self.reader.get_ref().input.explain(error),
                other => anyhow!("{}: {other:?}", self.path.display()),
            })?;
            if !is_row {
                return Ok(false);
            }
            if self.delimiter == b' ' {
                // Columns may be aligned by several spaces; a line of spaces alone is empty.
                let position = record.position().cloned();
                *record = record.iter().filter(|field| !field.is_empty()).collect();
                record.set_position(position);
            }
            if !record.is_empty() {
                break;
            }
        }
        let is_last_empty = record.len() > 1 && record[record.len() - 1].is_empty();
        if is_last_empty && self.count.is_none_or(|count| record.len() == count + 1) {
            record.truncate(record.len() - 1);
            self.drops_last = true;
        }
        let count = *self.count.get_or_insert(record.len());
        ensure!(
            record.len() == count,
            "{}, line {}: expected {count} columns as in the first line, got {}",
            self.path.display(),
            line(record),
            record.len()
        );
        Ok(true)
    }

    /// Refuses gzip data that was made to fill the memory.
    pub(super) fn check_growth(&self, kept: usize) -> Result<()> {
        self.reader.get_ref().input.check_growth(kept)
    }

    /// How fields are separated, in words, if not by commas.
    pub(super) fn how_delimited(&self) -> String {
        let delimiter = match self.delimiter {
            b';' => ", fields separated by semicolons",
            b'\t' => ", fields separated by tabs",
            b' ' => ", fields separated by spaces",
            _ => "",
        };
        let last = if self.drops_last { ", an empty last column dropped" } else { "" };
        format!("{delimiter}{last}")
    }

    /// Says what is wrong with a field, whose column has this title.
    pub(super) fn wrong(
        &self,
        record: &ByteRecord,
        title: &str,
        expected: &str,
        got: &[u8],
    ) -> anyhow::Error {
        anyhow!(
            "{}, line {}, {title}: expected {expected}, got {}",
            self.path.display(),
            line(record),
            shown(got)
        )
    }
}

/// The line on which a row begins, from 1.
pub(super) fn line(record: &ByteRecord) -> u64 {
    record.position().map_or(0, ::csv::Position::line)
}
