/* 64-6-10, fingerprint 99f587fffc304349. Written by `picomlp export`. */
#ifndef MODEL_H
#define MODEL_H

/* Bytes: _SCRATCH for inference, _RAM with its stack, _TRAIN_... to train with batches of 1. */
#define MODEL_BYTES 4176
#define MODEL_INPUTS 64
#define MODEL_OUTPUTS 10
#define MODEL_SCRATCH 1104
#define MODEL_RAM 2128
#define MODEL_TRAIN_SGD 2520
#define MODEL_TRAIN_ADAM 6200

#ifdef __cplusplus
extern "C" {
#endif
extern const unsigned char model[MODEL_BYTES]; /* a .pmlp file, at a multiple of 16 */
#ifdef __cplusplus
}
#endif

#endif
