/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cuda_on_cpu.h - enough of CUDA to run vectors/examples/cuda/cuda_kernel.cu as C++, one thread after the
 * other, where there is no GPU. It is included before that text, whose name<<<blocks, threads>>>(m) must
 * first become LAUNCH(name, blocks, threads, m). Kernels whose threads wait for each other cannot run so.
 */
#include <cstdlib>
#include <cstring>

#define __host__
#define __device__
#define __global__

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
static dim3 blockIdx(0), blockDim(1), threadIdx(0);

#define LAUNCH(kernel, blocks, threads, argument) \
    for (blockDim = threads, blockIdx.y = 0; blockIdx.y < (blocks).y; blockIdx.y++) \
        for (blockIdx.x = 0; blockIdx.x < (blocks).x; blockIdx.x++) \
            for (threadIdx.x = 0; threadIdx.x < (threads).x; threadIdx.x++) \
    kernel(argument)

enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };

static inline cudaError_t cudaMalloc(void **p, size_t bytes)
{
    *p = malloc(bytes);
    if (*p)
        memset(*p, 0xFF, bytes); /* NaN, which shows what is read before it is written */
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
static inline cudaError_t cudaFree(void *p) { return free(p), cudaSuccess; }
static inline cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind)
{
    return memcpy(to, from, bytes), cudaSuccess;
}
static inline cudaError_t cudaGetLastError() { return cudaSuccess; }
static inline const char *cudaGetErrorString(cudaError_t) { return "out of memory"; }
