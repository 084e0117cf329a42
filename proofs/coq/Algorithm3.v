(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Algorithm3.v - the gradients, block by block: the algorithm. BackwardBlockwise.v proves it right.
 *
 * Defines   what the C text runs: key block by key block, query blocks from the last down, with D_j
 *           taken back by subtraction (33) or from sums kept on the way up.
 * Equations (28) to (39), with the errata repaired. C file: ref/backward_blockwise.c.
 *)
Require Import Castle.Definitions Castle.Theorem1 Castle.Blocks Castle.Blockwise.

Inductive take_back_by := by_subtraction | by_recomputation.

Section Algorithm.

Context {K : ring}.
Variables (c : operator K) (x : inputs K).
Variables (L B : nat) (meets : nat -> nat -> bool).
Variables gate_slope penalty_slope : K -> K.
Variables (O : nat -> nat -> K) (lse : nat -> K) (D : nat -> nat -> K). (* of the forward pass *)
Variable dO : nat -> nat -> K.
Variable how : take_back_by.
Let start := start L B.
Let in_block := in_block L B.
Let count := count L B.
Let G := G c x.
Let T1 := T1 c x.

(* Six gradients: none, the sum of two, the sum of many; and a block of rows of one matrix *)
Definition nothing : inputs K :=
  let z (_ _ : nat) : K := 0 in Inputs z z z z z z.
Definition plus (g g' : inputs K) : inputs K :=
  let add_ (A A' : nat -> nat -> K) (t k : nat) : K := A t k + A' t k in
  Inputs (add_ (QU g) (QU g')) (add_ (KU g) (KU g')) (add_ (VU g) (VU g'))
         (add_ (QC g) (QC g')) (add_ (KC g) (KC g')) (add_ (VC g) (VC g')).
Fixpoint total (n : nat) (g : nat -> inputs K) : inputs K :=
  match n with
  | 0%nat => nothing
  | S m => plus (total m g) (g m)
  end.
Definition rows_of (i : nat) (A : nat -> nat -> K) : nat -> nat -> K :=
  fun t k => if in_block i t then A t k else 0.
Let z : nat -> nat -> K := fun _ _ => 0.

(* ---- queries T_i, keys T_j, given D_j in A: the forward quantities again, then dS and dSU ---- *)

Definition block_P (A : nat -> nat -> K) (i j t s : nat) : K :=
  if tril t s then weight c (block_score c x L B A i j t s - lse t) else 0.
Definition block_dS (A : nat -> nat -> K) (i j t s : nat) : K :=
  block_P A i j t s * (dot (dim c) (dO t) (VC x s) - dot (dim c) (dO t) (O t)).
Definition block_dSU (A : nat -> nat -> K) (i j t s : nat) : K :=
  - (block_dS A i j t s * penalty_slope (block_SU c x L B A i j t s)).

(* G = sigmoid(scale QU_j KU_e^T), given dG *)
Definition through_gates (j e : nat) (dG : nat -> nat -> K) : inputs K :=
  let dZ s r := masked (allowed c) dG s r * gate_slope (G s r) in
  Inputs
    (rows_of j (fun s k => scale c * \sum_(start e <= r < start (S e)) dZ s r * KU x r k))
    (rows_of e (fun r k => scale c * \sum_(start j <= s < start (S j)) dZ s r * QU x s k))
    z z z z.

(* What block (i, j) adds to the gradients, D_j's apart *)
Definition block_gradients (P dS dSU : nat -> nat -> K) (A : nat -> nat -> K) (i j : nat) :
  inputs K :=
  let dT1 := masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU t s * G s r) in
  let dG s r := \sum_(start i <= t < start (S i)) dSU t s * T1 t r in
  plus
    (plus
      (Inputs z z z
        (rows_of i (fun t k => scale c * \sum_(start j <= s < start (S j)) dS t s * KC x s k))
        (rows_of j (fun s k => scale c * \sum_(start i <= t < start (S i)) dS t s * QC x t k))
        (rows_of j (fun s k => \sum_(start i <= t < start (S i)) P t s * dO t k)))
      (if i =? j then nothing else
       Inputs z z z
        (rows_of i (fun t k => scale c * \sum_(start j <= s < start (S j)) dSU t s * A s k)) z z))
    (if meets j i then
      plus
        (Inputs z z
          (rows_of i (fun r k => scale c * \sum_(start i <= t < start (S i)) dT1 t r * QC x t k))
          (rows_of i (fun t k => scale c * \sum_(start i <= r < start (S i)) dT1 t r * VU x r k))
          z z)
        (through_gates j i dG)
     else nothing).

(* D_j = D_j + G VU_e, inverted *)
Definition update_gradients (dD : nat -> nat -> K) (j e : nat) : inputs K :=
  if meets j e then
    plus
      (Inputs z z (rows_of e (fun r k => \sum_(start j <= s < start (S j)) G s r * dD s k)) z z z)
      (through_gates j e (fun s r => dot (dim c) (dD s) (VU x r)))
  else nothing.

(* ---- the run of key block j ------------------------------------------------------------------ *)

Record backward_state := BackwardState {
  Dj : nat -> nat -> K; dDj : nat -> nat -> K; gradients : inputs K }.

(* D_j before query block i, from sums kept on the way up *)
Definition kept (j i s k : nat) : K :=
  \sum_(j <= e < i | meets j e) block_addition c x L B e s k.

(* (33) *)
Definition take_back (A : nat -> nat -> K) (j e : nat) : nat -> nat -> K :=
  if meets j e then fun s k => A s k - block_addition c x L B e s k else A.

Definition backward_block (i j : nat) (st : backward_state) : backward_state :=
  let A := match how with by_subtraction => Dj st | by_recomputation => kept j i end in
  let dSU := block_dSU A i j in
  let dD : nat -> nat -> K :=
    if i =? j then dDj st
    else fun s k => dDj st s k + scale c * \sum_(start i <= t < start (S i)) dSU t s * QC x t k in
  let g := plus (gradients st) (block_gradients (block_P A i j) (block_dS A i j) dSU A i j) in
  if j <? i
  then BackwardState (take_back A j (i - 1)) dD (plus g (update_gradients dD j (i - 1)))
  else BackwardState A dD g.

(* Query blocks count - 1, count - 2, .. : the first n of them *)
Fixpoint backward_keys (j n : nat) : backward_state :=
  match n with
  | 0%nat => BackwardState D (fun _ _ => 0) nothing
  | S m => backward_block (count - n) j (backward_keys j m)
  end.

Definition backward_blockwise : inputs K :=
  total count (fun j => gradients (backward_keys j (count - j))).

End Algorithm.
