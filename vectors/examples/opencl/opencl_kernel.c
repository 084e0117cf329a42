/* SPDX-License-Identifier: 0BSD */
/*
 * opencl_kernel.c - the host's side of castle.cl, as a library for `castle check --kernel`: takes a head's
 * tensors to the first OpenCL device, runs the kernels, takes the answers back. float32 only.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include "castle_kernel.h"

#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CASTLE_CL
#define CASTLE_CL "vectors/examples/opencl/castle.cl"
#endif

const struct castle_kernel_info castle_kernel_info = {CASTLE_KERNEL_VERSION, 0,
                                                      1u << CASTLE_KERNEL_F32};

typedef struct castle_kernel_call Call;
typedef struct castle_kernel_tensor Tensor;

/* The matrices of castle.cl, in its order. */
enum { INPUTS = 6, DOUT = INPUTS, O, U, DQU, NARROW = DQU + INPUTS, SQUARE = 8 };

/* Every call of castle check is a process of its own: it makes all this anew. */
typedef struct Device {
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_mem memory;
    float *host; /* the same, here */
    size_t length, dim;
} Device;

static void must(cl_int status, const char *what)
{
    if (status == CL_SUCCESS)
        return;
    fprintf(stderr, "%s: OpenCL error %d\n", what, (int)status);
    exit(1);
}

static char *text_of(const char *path)
{
    static char text[20000];
    FILE *file = fopen(path, "r");
    if (!file || fread(text, 1, sizeof text - 1, file) == 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    return text;
}

static size_t numbers(const Device *g)
{
    return NARROW * g->length * g->dim + SQUARE * g->length * g->length + g->length;
}

static Device begin(const Call *c)
{
    Device g = {.length = c->length, .dim = c->dim};
    const char *source = text_of(CASTLE_CL);
    cl_platform_id platform;
    cl_int status;
    must(clGetPlatformIDs(1, &platform, NULL), "there is no OpenCL platform");
    must(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &g.id, NULL), "there is no device");
    g.context = clCreateContext(NULL, 1, &g.id, NULL, NULL, &status);
    must(status, "clCreateContext");
    g.queue = clCreateCommandQueue(g.context, g.id, 0, &status);
    must(status, "clCreateCommandQueue");
    g.program = clCreateProgramWithSource(g.context, 1, &source, NULL, &status);
    must(status, "clCreateProgramWithSource");
    must(clBuildProgram(g.program, 1, &g.id, "", NULL, NULL), CASTLE_CL);
    g.memory = clCreateBuffer(g.context, CL_MEM_READ_WRITE, numbers(&g) * sizeof(float), NULL,
                              &status);
    must(status, "clCreateBuffer");
    g.host = calloc(numbers(&g), sizeof(float));
    if (!g.host)
        exit(1);
    return g;
}

static void end(Device *g)
{
    free(g->host);
    clReleaseMemObject(g->memory);
    clReleaseProgram(g->program);
    clReleaseCommandQueue(g->queue);
    clReleaseContext(g->context);
}

/* Runs one kernel of castle.cl, a work-item for each token. */
static void launch(const Device *g, const char *name, const Call *c)
{
    cl_int status;
    cl_uint length = (cl_uint)c->length, dim = (cl_uint)c->dim;
    cl_uint window = c->window < length ? (cl_uint)c->window : length;
    cl_float scale = (cl_float)c->scale;
    cl_int variant = c->variant;
    cl_kernel k = clCreateKernel(g->program, name, &status);
    must(status, name);
    must(clSetKernelArg(k, 0, sizeof g->memory, &g->memory), name);
    must(clSetKernelArg(k, 1, sizeof length, &length), name);
    must(clSetKernelArg(k, 2, sizeof dim, &dim), name);
    must(clSetKernelArg(k, 3, sizeof scale, &scale), name);
    must(clSetKernelArg(k, 4, sizeof window, &window), name);
    must(clSetKernelArg(k, 5, sizeof variant, &variant), name);
    must(clEnqueueNDRangeKernel(g->queue, k, 1, NULL, &c->length, NULL, 0, NULL, NULL), name);
    must(clFinish(g->queue), name);
    clReleaseKernel(k);
}

static float *row(const Tensor *x, size_t b, size_t h, size_t t)
{
    return (float *)x->data + b * x->batch + h * x->head + t * x->row;
}

static void load(const Device *g, int matrix, const Tensor *x, size_t b, size_t h)
{
    for (size_t t = 0; t < g->length; t++)
        memcpy(g->host + ((size_t)matrix * g->length + t) * g->dim, row(x, b, h, t),
               g->dim * sizeof(float));
}

static void store(const Device *g, int matrix, const Tensor *x, size_t b, size_t h)
{
    for (size_t t = 0; x->data && t < g->length; t++)
        memcpy(row(x, b, h, t), g->host + ((size_t)matrix * g->length + t) * g->dim,
               g->dim * sizeof(float));
}

/* Inputs to the device, and the forward kernels. */
static void forward(const Device *g, const Call *c, size_t b, size_t h)
{
    const Tensor *const inputs[] = {&c->qu, &c->ku, &c->vu, &c->qc, &c->kc, &c->vc};
    for (int k = 0; k < INPUTS; k++)
        load(g, k, inputs[k], b, h);
    if (c->dout.data)
        load(g, DOUT, &c->dout, b, h);
    must(clEnqueueWriteBuffer(g->queue, g->memory, CL_TRUE, 0, numbers(g) * sizeof(float), g->host,
                              0, NULL, NULL),
         "clEnqueueWriteBuffer");
    launch(g, "open_gates", c);
    launch(g, "attend", c);
}

static void take_back(const Device *g)
{
    must(clEnqueueReadBuffer(g->queue, g->memory, CL_TRUE, 0, numbers(g) * sizeof(float), g->host,
                             0, NULL, NULL),
         "clEnqueueReadBuffer");
}

/* prefill is forward that also answers u. */
int castle_kernel_forward(const Call *c)
{
    if (c->type != CASTLE_KERNEL_F32)
        return 1;
    Device g = begin(c);
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++) {
            forward(&g, c, b, h);
            take_back(&g);
            store(&g, O, &c->o, b, h);
            store(&g, U, &c->u, b, h);
            for (size_t t = 0; t < c->length; t++)
                *row(&c->lse, b, h, t) = g.host[numbers(&g) - c->length + t];
        }
    end(&g);
    return 0;
}

int castle_kernel_prefill(const Call *c) { return castle_kernel_forward(c); }

int castle_kernel_backward(const Call *c)
{
    const Tensor *const gradients[] = {&c->dqu, &c->dku, &c->dvu, &c->dqc, &c->dkc, &c->dvc};
    if (c->type != CASTLE_KERNEL_F32)
        return 1;
    Device g = begin(c);
    for (size_t b = 0; b < c->batch; b++)
        for (size_t h = 0; h < c->heads; h++) {
            forward(&g, c, b, h);
            launch(&g, "backward_query", c);
            launch(&g, "backward_key", c);
            launch(&g, "backward_seen", c);
            take_back(&g);
            for (int k = 0; k < INPUTS; k++)
                store(&g, DQU + k, gradients[k], b, h);
        }
    end(&g);
    return 0;
}
