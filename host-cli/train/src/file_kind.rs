//! Names a file by its first bytes, for messages of every reader that expected another kind.

use std::io::Read;
use std::path::Path;

use crate::open::open;

/// Bytes from a file's start that [`detect`] looks at: tar's mark ends at 262, and zip names its first entry early.
pub(crate) const START: usize = 512;

/// What a file is, and what makes it readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileKind {
    pub(crate) name: &'static str,
    advice: &'static str,
}

/// How a kind of file is recognized.
#[derive(Clone, Copy)]
enum Mark {
    /// These bytes at this offset, and somewhere a byte that text does not have: a CSV header may well begin with `PAR1`.
    At(usize, &'static [u8]),
    /// This text first, in any case, after blanks, a byte order mark and `%` comments.
    Text(&'static str),
    /// A zip archive whose first entry has this in its name.
    Zip(&'static str),
    /// Two zero bytes, a code for the type of elements, one to four dimensions.
    Idx,
}

use Mark::{At, Idx, Text, Zip};

const IDX: &str = "an IDX file";
const NPY: &str = "a NumPy array (.npy)";
const NPZ: &str = "a NumPy archive (.npz)";
const ARFF: &str = "an ARFF file (Weka, OpenML)";
const ITSELF: &str = "give the file itself as the data";
const TO_CSV: &str = "write it as CSV, as in numpy.savetxt(\"data.csv\", rows, \"%d\", \",\"), a label and its pixels in each row";
const PANDAS: &str = "write it as CSV with pandas (read_parquet or read_feather, then to_csv with index=False), or its images as PNG files in a folder for each class";
const PAGE: &str = "a download gave a page or an error message instead of the data: read it";
const UNPACK: &str = "unpack it and give the folder or the file inside";
const IN_FOLDERS: &str = "give the folder of class folders above it";
const TO_PNG: &str =
    "only PNG and JPEG images are read: convert it, as in `magick mogrify -format png *`";

/// Every kind that has a name, the special ones before the general.
const KINDS: &[(Mark, &str, &str)] = &[
    (At(0, &picomlp::blob::MAGIC), "a picomlp model", "give data here"),
    (Idx, IDX, "give the folder that holds the images and the labels"),
    (At(0, b"\x93NUMPY"), NPY, ITSELF),
    (Zip(".npy"), NPZ, ITSELF),
    (Zip("-idx"), "a zip archive of IDX files", UNPACK),
    (Zip(".idx"), "a zip archive of IDX files", UNPACK),
    (Zip("data.pkl"), "a PyTorch file", TO_CSV),
    (Zip("[Content_Types].xml"), "an Excel workbook or another Office file", "save it as CSV"),
    (At(0, b"PK\x03\x04"), "a zip archive", UNPACK),
    (At(0, b"\x1f\x8b"), "gzip data", "unpack it (gunzip)"),
    (At(0, b"BZh"), "bzip2 data", "unpack it (bunzip2)"),
    (At(0, b"\xfd7zXZ\0"), "xz data", "unpack it (unxz)"),
    (At(0, b"\x28\xb5\x2f\xfd"), "zstd data", "unpack it (unzstd)"),
    (At(0, b"7z\xbc\xaf\x27\x1c"), "a 7-Zip archive", UNPACK),
    (At(257, b"ustar"), "a tar archive", UNPACK),
    (At(0, b"PAR1"), "a Parquet file", PANDAS),
    (At(0, b"ARROW1"), "an Arrow (Feather) file", PANDAS),
    (At(0, b"\x89HDF\r\n\x1a\n"), "an HDF5 file", TO_CSV),
    (At(0, b"MATLAB 5.0 MAT-file"), "a MATLAB file (.mat)", TO_CSV),
    (At(0, b"\x80\x04"), "a Python pickle", TO_CSV),
    (At(0, b"\x80\x05"), "a Python pickle", TO_CSV),
    (At(0, b"\x89PNG\r\n\x1a\n"), "a PNG image", IN_FOLDERS),
    (At(0, b"\xff\xd8\xff"), "a JPEG image", IN_FOLDERS),
    (At(0, b"GIF8"), "a GIF image", TO_PNG),
    (At(8, b"WEBP"), "a WebP image", TO_PNG),
    (At(0, b"II*\0"), "a TIFF image", TO_PNG),
    (At(0, b"MM\0*"), "a TIFF image", TO_PNG),
    (Text("%PDF-"), "a PDF document", "give the data itself"),
    (At(0, b"\xff\xfe"), "UTF-16 text", "save it as UTF-8"),
    (At(0, b"\xfe\xff"), "UTF-16 text", "save it as UTF-8"),
    (Text("<!doctype html"), "an HTML page", PAGE),
    (Text("<html"), "an HTML page", PAGE),
    (Text("<?xml"), "an XML document", PAGE),
    (Text("version https://git-lfs"), "a git-lfs pointer", "fetch the data itself (git lfs pull)"),
    (Text("@relation"), ARFF, ITSELF),
    (Text("[{"), "a JSON array", "write an object in each line, as in `jq -c '.[]'`"),
];

/// Names the kind of file that begins with `start`; nothing if it has no mark, as CSV has none.
pub(crate) fn detect(start: &[u8]) -> Option<FileKind> {
    let (_, name, advice) = KINDS.iter().find(|(mark, ..)| mark.is_in(start))?;
    Some(FileKind { name, advice })
}

/// Names the kind of a file, if it can be read and has one.
pub(crate) fn of_file(path: &Path) -> Option<FileKind> {
    let mut start = Vec::new();
    open(path).ok()?.take(START as u64).read_to_end(&mut start).ok()?;
    detect(&start)
}

impl FileKind {
    /// Whether it is NumPy's.
    pub(crate) fn is_numpy(self) -> bool {
        [NPY, NPZ].contains(&self.name)
    }

    /// Whether it is one of ARFF.
    pub(crate) fn is_arff(self) -> bool {
        self.name == ARFF
    }

    /// Whether it is one of IDX.
    pub(crate) fn is_idx(self) -> bool {
        self.name == IDX
    }

    /// `a Parquet file, expected a CSV file: write it as CSV …`.
    pub(crate) fn instead_of(self, expected: &str) -> String {
        format!("{}, expected {expected}: {}", self.name, self.advice)
    }
}

impl Mark {
    fn is_in(self, start: &[u8]) -> bool {
        let has =
            |offset: usize, bytes| start.get(offset..).is_some_and(|at| at.starts_with(bytes));
        match self {
            At(offset, bytes) => has(offset, bytes) && start.iter().any(|b| *b < 9 || *b > 126),
            Text(text) => {
                let first = first_text(start).get(..text.len());
                first.is_some_and(|first| first.eq_ignore_ascii_case(text.as_bytes()))
            }
            Zip(part) => {
                // A local file header: the length of the name at 26, the name at 30.
                let len = usize::from(start.get(26).copied().unwrap_or(0));
                let name = start.get(30..30 + len).map(String::from_utf8_lossy);
                has(0, b"PK\x03\x04") && name.is_some_and(|name| name.contains(part))
            }
            Idx => match start {
                [0, 0, 8 | 9 | 0xb..=0xe, dimensions, ..] => (1..=4).contains(dimensions),
                _ => false,
            },
        }
    }
}

/// Skips a byte order mark, blanks, and the lines of an ARFF file that are comments.
fn first_text(start: &[u8]) -> &[u8] {
    let mut text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    while text.starts_with(b"%") && !text.starts_with(b"%PDF-") {
        let line = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
        text = text[line..].trim_ascii_start();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found_under_its_own_name() {
        for (mark, name, _) in KINDS {
            let start = match *mark {
                At(offset, bytes) => [&vec![1; offset], bytes, &[0]].concat(),
                Text(text) => format!("\u{feff}\n{} and so on", text.to_uppercase()).into_bytes(),
                Zip(part) => {
                    let mut start = [&b"PK\x03\x04"[..], &[0; 26], b"a/", part.as_bytes()].concat();
                    start[26] = 2 + part.len() as u8;
                    start
                }
                Idx => vec![0, 0, 0x0d, 3, 0],
            };
            assert_eq!(detect(&start).map(|kind| kind.name), Some(*name));
        }
    }

    #[test]
    fn text_and_unknown_bytes_have_no_name() {
        for start in [
            &b""[..],
            b"0,1,2",
            b"PAR1,PAR2,label\n",
            b"GIF8,label\n",
            b"% only a comment",
            b"\0\0\x08\x05",
            b"\0\0\x0a\x03",
            b"relation,label",
        ] {
            assert_eq!(detect(start), None, "{start:?}");
        }
        assert_eq!(detect(b"% a\n%\n\n@RELATION x").unwrap().name, "an ARFF file (Weka, OpenML)");
    }
}
