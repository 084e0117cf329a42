(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Definitions.v - CASTLE as the paper defines it, one token at a time: equations (3) to (9).
 *
 * C file    ref/sequential.c, ref/head.h.
 * Numbers   any commutative ring K. gate, penalty, weight and inverse stand for sigmoid, SiLU, exp
 *           and 1/x; they are arbitrary functions here, nothing is assumed of them. Gradient.v puts
 *           the real ones in their place.
 * Indices   from 0, as in C: step t has seen tokens 0..t. A matrix is a function of row and column.
 * Masks     sets of index pairs, never large negative numbers.
 * Variants  "without SiLU": penalty is the identity. "Without causal keys": KC is 0.
 *)
Require Export Castle.Sums.
Open Scope ring_scope.

Section Castle.

Context {K : ring}.

(* What one head receives. Row t belongs to token t. *)
Record inputs := Inputs { QU : nat -> nat -> K; KU : nat -> nat -> K; VU : nat -> nat -> K;
                          QC : nat -> nat -> K; KC : nat -> nat -> K; VC : nat -> nat -> K }.

(* What one head is. *)
Record operator := Operator {
  dim : nat;                      (* d *)
  scale : K;                      (* usually 1/sqrt(d) *)
  allowed : nat -> nat -> bool;   (* allowed s j: key s may look at token j *)
  gate : K -> K;                  (* sigmoid *)
  penalty : K -> K;               (* SiLU *)
  weight : K -> K;                (* exp *)
  inverse : K -> K                (* 1/x *)
}.

Definition dot (d : nat) (a b : nat -> K) : K := \sum_(k < d) a k * b k.

Variables (c : operator) (x : inputs).

(* sigmoid(scale QU_s . KU_j) *)
Definition gate_of (s j : nat) : K := gate c (scale c * dot (dim c) (QU x s) (KU x j)).

(* (3), (9): u_s^t, the sum over the allowed j <= t *)
Definition lookahead_key (t s k : nat) : K :=
  \sum_(j < S t | allowed c s j) gate_of s j * VU x j k.

(* (5) *)
Definition causal_score (t s : nat) : K := scale c * dot (dim c) (QC x t) (KC x s).

(* (6) *)
Definition lookahead_score (t s : nat) : K :=
  scale c * dot (dim c) (QC x t) (lookahead_key t s).

Definition score (t s : nat) : K := causal_score t s - penalty c (lookahead_score t s).

(* (7): a softmax over s <= t. Its logarithm is lse_t. *)
Definition denominator (t : nat) : K := \sum_(s < S t) weight c (score t s).
Definition attention (t s : nat) : K := weight c (score t s) * inverse c (denominator t).

(* (8) *)
Definition output (t k : nat) : K := \sum_(s < S t) attention t s * VC x s k.

End Castle.
Arguments inputs : clear implicits.
Arguments operator : clear implicits.

(* The masks: (4), CASTLE; (9), CASTLE-SWL with window W. *)
Definition castle_mask (s j : nat) : bool := s <? j.
Definition swl_mask (W s j : nat) : bool := (s <? j) && (j <=? s + W).

(* What is asked of a mask where anything is: a key looks ahead only. Theorem 1 asks nothing. *)
Definition ahead (mask : nat -> nat -> bool) : Prop := forall s j, mask s j = true -> (s < j)%nat.

Lemma castle_mask_ahead : ahead castle_mask.
Proof. intros s j H. now apply Nat.ltb_lt. Qed.

Lemma swl_mask_ahead W : ahead (swl_mask W).
Proof. intros s j H. apply andb_prop in H. now apply Nat.ltb_lt. Qed.

(* A window that reaches every token is none. *)
Lemma swl_wide W s j : (j <= W)%nat -> swl_mask W s j = castle_mask s j.
Proof.
  unfold swl_mask, castle_mask. intros H.
  destruct (Nat.leb_spec j (s + W)%nat); [now rewrite andb_true_r|lia].
Qed.
