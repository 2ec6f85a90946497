//! Writes a blob, piece by piece: into a buffer, a file, or down a wire from a device without room for two copies.

use super::format::{CRC, HEADER, MAGIC, ROW, SECTION_ALIGN, VERSION, at, layer_kind, section};
use super::provenance::FIXED as PROVENANCE_FIXED;
use super::self_test::{FIXED as SELF_TEST_FIXED, vector_len};
use super::{BlobError, Input, Provenance};
use crate::fingerprint::{FNV_OFFSET, fingerprint, fnv1a};
use crate::layers::{AnyLayer, Layer, LayerList, hidden_outputs};

/// What goes into a blob.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a, N: ?Sized> {
    /// The network.
    pub net: &'a N,
    /// Its parameters, `[params]`.
    pub params: &'a [f32],
    /// The pictures it reads: as many pixels as the network has inputs.
    pub input: Option<Input>,
    /// The names of its classes, as many as it has outputs, or none.
    pub class_names: &'a [&'a str],
    /// Where it comes from.
    pub provenance: Option<Provenance<'a>>,
    /// Pixels of self-test vectors, `[vectors][inputs]`.
    pub self_test_inputs: &'a [u8],
    /// The logits they give, `[vectors][outputs]`.
    pub self_test_logits: &'a [f32],
    /// What the layers before the last give, `[vectors][layers][outputs of the layer]`, as
    /// [`trace`](crate::layers::trace) shows it; or nothing.
    pub self_test_layers: &'a [f32],
}

impl<'a, N: Layer + ?Sized> Contents<'a, N> {
    /// A network and its parameters, nothing else.
    #[must_use]
    pub fn new(net: &'a N, params: &'a [f32]) -> Self {
        Self {
            net,
            params,
            input: None,
            class_names: &[],
            provenance: None,
            self_test_inputs: &[],
            self_test_logits: &[],
            self_test_layers: &[],
        }
    }

    /// Bytes that the blob takes.
    ///
    /// # Errors
    ///
    /// Those of [`write_pieces`](Self::write_pieces).
    pub fn byte_len(&self) -> Result<usize, BlobError> {
        Ok(self.layout()?.total)
    }

    /// Writes the blob to the start of `buffer`; returns its length.
    ///
    /// # Errors
    ///
    /// [`BlobError::NoRoom`], and those of [`write_pieces`](Self::write_pieces). `buffer` is then unchanged.
    pub fn write(&self, buffer: &mut [u8]) -> Result<usize, BlobError> {
        let (needed, got) = (self.byte_len()?, buffer.len());
        if got < needed {
            return Err(BlobError::NoRoom { needed, got });
        }
        let mut rest = buffer;
        self.write_pieces(|piece| {
            if let Some((to, after)) = core::mem::take(&mut rest).split_at_mut_checked(piece.len())
            {
                to.copy_from_slice(piece);
                rest = after;
            }
        })
    }

    /// Hands over the blob in pieces, first to last; returns its length.
    ///
    /// # Errors
    ///
    /// [`BlobError::Malformed`] if the parts do not fit each other, [`BlobError::TooLarge`]. Nothing has been
    /// handed over then.
    pub fn write_pieces(&self, mut take: impl FnMut(&[u8])) -> Result<usize, BlobError> {
        let layout = self.layout()?;
        let mut crc = CRC.digest();
        self.payload(&layout, |piece| crc.update(piece));
        take(&self.header(&layout, crc.finalize()));
        self.payload(&layout, take);
        Ok(layout.total)
    }

    fn header(&self, layout: &Layout, payload_crc: u32) -> [u8; HEADER] {
        let rows = layout.layers.iter().map(layer_row);
        let architecture = rows.fold(FNV_OFFSET, |hash, row| fnv1a(hash, &row));
        let mut header = [0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(to) = header.get_mut(at..at + bytes.len()) {
                to.copy_from_slice(bytes);
            }
        };
        put(0, &MAGIC);
        put(at::VERSION, &VERSION.to_le_bytes());
        put(at::LAYERS, &(layout.layers.len() as u16).to_le_bytes());
        put(at::TOTAL_LEN, &(layout.total as u32).to_le_bytes());
        put(at::SECTIONS, &(layout.sections().count() as u16).to_le_bytes());
        put(at::PAYLOAD_CRC, &payload_crc.to_le_bytes());
        put(at::ARCHITECTURE, &architecture.to_le_bytes());
        put(at::FINGERPRINT, &fingerprint(self.params).to_le_bytes());
        let crc = CRC.checksum(header.get(..at::HEADER_CRC).unwrap_or_default());
        if let Some(to) = header.last_chunk_mut::<4>() {
            *to = crc.to_le_bytes();
        }
        header
    }

    /// Everything after the header, in pieces.
    fn payload(&self, layout: &Layout, mut take: impl FnMut(&[u8])) {
        for layer in &layout.layers {
            take(&layer_row(layer));
        }
        for (kind, start, len) in layout.sections() {
            take(&row([kind, start as u32, len as u32, 0]));
        }
        for (kind, _, len) in layout.sections() {
            match kind {
                section::PARAMS => take_floats(self.params, &mut take),
                section::INPUT => {
                    if let Some(Input { rows, cols, map }) = self.input {
                        let [scale, shift] = [map.scale, map.shift].map(f32::to_bits);
                        take(&row([rows as u32, cols as u32, scale, shift]));
                    }
                }
                section::CLASSES => {
                    for (i, name) in self.class_names.iter().enumerate() {
                        if i > 0 {
                            take(&[0]);
                        }
                        take(name.as_bytes());
                    }
                }
                section::PROVENANCE => {
                    let provenance = self.provenance.unwrap_or_default();
                    take(&provenance.to_bytes());
                    take(provenance.command.as_bytes());
                }
                section::SELF_TEST_LAYERS => take_floats(self.self_test_layers, &mut take),
                _ => {
                    let (inputs, outputs) = (self.net.inputs(), self.net.outputs());
                    let pixels = self.self_test_inputs.chunks_exact(inputs.max(1));
                    take(&row([pixels.len() as u32, inputs as u32, outputs as u32, 0]));
                    for (pixels, logits) in
                        pixels.zip(self.self_test_logits.chunks_exact(outputs.max(1)))
                    {
                        take(pixels);
                        pad(inputs, 4, &mut take);
                        take_floats(logits, &mut take);
                    }
                }
            }
            pad(len, SECTION_ALIGN, &mut take);
        }
    }

    fn layout(&self) -> Result<Layout, BlobError> {
        let malformed = |what| Err(BlobError::Malformed { what });
        let (inputs, outputs) = (self.net.inputs(), self.net.outputs());
        if self.params.len() != self.net.params() {
            return malformed("its parameters are not those of its layers");
        }
        let shape = self.input.map(|shape| shape.rows.checked_mul(shape.cols));
        if shape.is_some_and(|pixels| pixels != Some(inputs)) {
            return malformed("its picture's shape is not that of its inputs");
        }
        let names = self.class_names;
        if !names.is_empty() && names.len() != outputs {
            return malformed("its class names are not as many as its outputs");
        }
        if names.iter().any(|name| name.contains('\0')) {
            return malformed("a class name holds a zero byte");
        }
        let vectors = self.self_test_inputs.len().checked_div(inputs).unwrap_or(0);
        if Some(self.self_test_inputs.len()) != vectors.checked_mul(inputs)
            || Some(self.self_test_logits.len()) != vectors.checked_mul(outputs)
        {
            return malformed("its self-test does not fit its layers");
        }
        let mut layers = LayerList::new();
        self.net.describe(&mut layers).map_err(|_| BlobError::TooLarge)?;
        let traced = hidden_outputs(&layers).and_then(|hidden| hidden.checked_mul(vectors));
        if !self.self_test_layers.is_empty() && Some(self.self_test_layers.len()) != traced {
            return malformed("its self-test's layers do not fit its layers");
        }
        let names_len = names.iter().map(|name| name.len() + 1).sum::<usize>();
        let self_test =
            || vectors.checked_mul(vector_len(inputs, outputs)?)?.checked_add(SELF_TEST_FIXED);
        let lens = [
            (section::PARAMS, self.params.len().checked_mul(4)),
            (section::INPUT, Some(if self.input.is_some() { ROW } else { 0 })),
            (section::CLASSES, Some(names_len.saturating_sub(1))),
            (
                section::PROVENANCE,
                Some(self.provenance.map_or(0, |p| PROVENANCE_FIXED + p.command.len())),
            ),
            (section::SELF_TEST, if vectors == 0 { Some(0) } else { self_test() }),
            (section::SELF_TEST_LAYERS, self.self_test_layers.len().checked_mul(4)),
        ];
        let present = lens.iter().filter(|(_, len)| *len != Some(0)).count();
        let mut end = HEADER + ROW * (layers.len() + present);
        let mut rows = [(0, 0, 0); 6];
        for (to, (kind, len)) in rows.iter_mut().zip(lens) {
            let len = len.ok_or(BlobError::TooLarge)?;
            *to = (kind, end, len);
            let padded = len.checked_next_multiple_of(SECTION_ALIGN);
            end = padded.and_then(|len| end.checked_add(len)).ok_or(BlobError::TooLarge)?;
        }
        u32::try_from(end).map_err(|_| BlobError::TooLarge)?;
        Ok(Layout { layers, rows, total: end })
    }
}

/// Where everything goes.
struct Layout {
    layers: LayerList,
    /// Kind, start, length; a length of 0 means that there is no such section.
    rows: [(u32, usize, usize); 6],
    total: usize,
}

impl Layout {
    fn sections(&self) -> impl Iterator<Item = (u32, usize, usize)> + use<'_> {
        self.rows.iter().copied().filter(|(_, _, len)| *len > 0)
    }
}

fn layer_row(layer: &AnyLayer) -> [u8; ROW] {
    let kind = match layer {
        AnyLayer::Dense(_) => layer_kind::DENSE,
        AnyLayer::Relu(_) => layer_kind::RELU,
    };
    row([kind, layer.inputs() as u32, layer.outputs() as u32, 0])
}

fn row(fields: [u32; 4]) -> [u8; ROW] {
    let mut row = [0; ROW];
    for (to, field) in row.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
        *to = field.to_le_bytes();
    }
    row
}

/// The bytes of floats, 16 floats a piece.
fn take_floats(floats: &[f32], take: &mut impl FnMut(&[u8])) {
    for piece in floats.chunks(16) {
        let mut bytes = [0; 64];
        for (to, float) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(piece) {
            *to = float.to_le_bytes();
        }
        take(bytes.get(..4 * piece.len()).unwrap_or_default());
    }
}

/// Zeros from `len` to the next multiple of `align`, which is 16 at the most.
fn pad(len: usize, align: usize, take: &mut impl FnMut(&[u8])) {
    let zeros = len.next_multiple_of(align) - len;
    take([0; SECTION_ALIGN].get(..zeros).unwrap_or_default());
}
