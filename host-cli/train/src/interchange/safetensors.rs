//! safetensors: the length of a JSON header, the header, and the tensors' bytes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::about::Metadata;
use super::tensors::{Dtype, Tensor, is_counter};

#[derive(Deserialize, Serialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: Metadata,
    #[serde(flatten)]
    tensors: BTreeMap<String, Info>,
}

#[derive(Deserialize, Serialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    /// From the header's end.
    data_offsets: [usize; 2],
}

/// The tensors of a file, and its metadata.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<(String, Tensor)>, Metadata)> {
    let (len, rest) = bytes.split_first_chunk().context("it is no safetensors file: too short")?;
    let len = usize::try_from(u64::from_le_bytes(*len)).ok();
    let (header, data) = len
        .and_then(|len| rest.split_at_checked(len))
        .context("it is no safetensors file, or cut off: its header is longer than the file")?;
    let header: Header = serde_json::from_slice(header).context("its header cannot be read")?;
    let mut tensors = Vec::new();
    for (name, Info { dtype, shape, data_offsets: [start, end] }) in header.tensors {
        if is_counter(&name) {
            continue;
        }
        let dtype = match dtype.as_str() {
            "F16" => Dtype::F16,
            "BF16" => Dtype::Bf16,
            "F32" => Dtype::F32,
            "F64" => Dtype::F64,
            _ => bail!("tensor '{name}': its numbers are {dtype}, expected F32, F64, F16 or BF16"),
        };
        let bytes = data.get(start..end).with_context(|| {
            format!(
                "tensor '{name}': its bytes {start} to {end} are not all in the file: it is cut off"
            )
        })?;
        let tensor = Tensor::decode(dtype, shape, bytes);
        tensors.push((name.clone(), tensor.with_context(|| format!("tensor '{name}'"))?));
    }
    Ok((tensors, header.metadata))
}

/// A file of these tensors.
pub(super) fn write(tensors: &[(String, Tensor)], metadata: Metadata) -> Result<Vec<u8>> {
    let mut header = Header { metadata, tensors: BTreeMap::new() };
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        end += 4 * tensor.data.len();
        let (shape, data_offsets) = (tensor.shape.clone(), [start, end]);
        let info = Info { dtype: "F32".to_owned(), shape, data_offsets };
        header.tensors.insert(name.clone(), info);
    }
    let mut header = serde_json::to_vec(&header)?;
    // The data begins at a multiple of 8, so that readers can map it.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(tensors.iter().flat_map(|(_, tensor)| tensor.bytes()));
    Ok(bytes)
}
