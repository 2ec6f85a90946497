//! The other end of `picomlp verify`, whatever the model computes in.

use picomlp_link::{Decoder, Device, answer};

use crate::uart::Uart;

/// Answers over the serial port what `device` makes of the pixels that come in, of which there are `INPUTS`.
pub fn serve<const INPUTS: usize>(device: &mut impl Device) -> ! {
    let mut port = Uart::start();
    let mut request = [0; INPUTS];
    let mut decoder = Decoder::new(&mut request);
    port.write(b"picomlp device\r\n"); // as a board's own start-up messages: passed over by the desktop
    loop {
        if let Some(came) = decoder.push(port.read_byte()) {
            answer(device, came, |piece| port.write(piece));
        }
    }
}
