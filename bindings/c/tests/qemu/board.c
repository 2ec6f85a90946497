/* What a C program needs on QEMU's boards: a start, an output, an end. */
#include <stdint.h>
#include <stdio.h>

extern uint32_t data_start, data_end, data_source, bss_start, bss_end, stack;
int main(void);
int _write(int file, const char *text, int len);
void *_sbrk(int more);
void start(void);

static int semihosting(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* To QEMU's standard output. */
int _write(int file, const char *text, int len) {
    static const char name[] = ":tt";
    static int handle;
    (void)file;
    if (handle == 0) {
        const void *open[3] = {name, (void *)4, (void *)3};
        handle = semihosting(1, open);
    }
    {
        const void *write[3] = {(void *)(intptr_t)handle, text, (void *)(intptr_t)len};
        return len - semihosting(5, write);
    }
}

/* The C library's streams take some memory from a heap. */
void *_sbrk(int more) {
    static uint64_t heap[128];
    static int used;
    if (used + more > (int)sizeof heap) return (void *)-1;
    used += more;
    return (char *)heap + used - more;
}

static void end(int code) {
    uint32_t reason[2] = {0x20026, (uint32_t)code};
    for (;;) semihosting(0x20, reason);
}

static void fault(void) { end(101); }

/* Prints how much of the stack, which `start` has painted, was written to. */
static void print_stack(void) {
    char text[] = "measured stack 00000 bytes\n";
    uint32_t *deepest = &bss_end, used;
    int digit;
    while (*deepest == 0x57ac57ac) deepest++;
    used = 4 * (uint32_t)(&stack - deepest);
    for (digit = 19; digit > 14; digit--, used /= 10) text[digit] = (char)('0' + used % 10);
    _write(1, text, sizeof text - 1);
}

void start(void) {
    volatile uint32_t *to, *from = &data_source;
    int code;
    for (to = &data_start; to < &data_end;) *to++ = *from++;
    for (to = &bss_start; to < &bss_end;) *to++ = 0;
    for (to = &bss_end; to < (uint32_t *)__builtin_frame_address(0) - 64;) *to++ = 0x57ac57ac;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88 |= 0xf << 20; /* CPACR: the FPU may be used */
    __asm__ volatile("dsb; isb");
#endif
    setvbuf(stdout, NULL, _IONBF, 0);
    code = main();
    print_stack();
    end(code);
}

static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors __attribute__((section(".vectors"), used)) = {&stack, {start, fault, fault, fault, fault, fault}};
