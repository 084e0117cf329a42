(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Evaluate.v - carries the definitions out and prints what they give, for the C tests to compare.
 *
 * `make proofs-coq` runs it behind the proofs, has values.awk make field_decode.txt,
 * field_gradients.txt and binary32_dots.txt of it, and compares these with the committed ones.
 *)
From Coq Require Import NArith List String.
Require Import Castle.FieldValues Castle.Binary32Dots.
Import ListNotations.
Open Scope string_scope.
Open Scope hex_N_scope.
Set Printing Width 1000000.
Set Printing Depth 1000000.

Redirect "field_decode" Eval vm_compute in List.map decoded decode_cases.
Redirect "field_gradients" Eval vm_compute in List.map differentiated gradient_cases.
Redirect "binary32_dots" Eval vm_compute in dots.
