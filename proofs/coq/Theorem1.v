(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Theorem1.v - Theorem 1: all of CASTLE as a handful of masked matrix products.
 *
 * States    T1, G, SU, scores, P and the output O of the parallel form, and that row t of O is o_t
 *           of the definition, entry (t, s) of SU is (6), and G VU is U^L. For any mask; CASTLE
 *           and CASTLE-SWL are instances.
 * Equations (11), (12). C file: ref/parallel.c.
 *)
Require Import Castle.Definitions Castle.Causality.
Require Import Ring.

Section Parallel.

Context {K : ring}.

(* A o mask, A B, A B^T. Matrices are L x d, L x L: the inner dimension is named. *)
Definition masked (mask : nat -> nat -> bool) (A : nat -> nat -> K) : nat -> nat -> K :=
  fun i j => if mask i j then A i j else 0.
Definition product (n : nat) (A B : nat -> nat -> K) : nat -> nat -> K :=
  fun i j => \sum_(k < n) A i k * B k j.
Definition product_nt (n : nat) (A B : nat -> nat -> K) : nat -> nat -> K :=
  fun i j => \sum_(k < n) A i k * B j k.
Definition scaled (a : K) (A : nat -> nat -> K) : nat -> nat -> K := fun i j => a * A i j.
Definition map (f : K -> K) (A : nat -> nat -> K) : nat -> nat -> K := fun i j => f (A i j).

Definition tril (t j : nat) : bool := j <=? t.

Variables (c : operator K) (x : inputs K) (L : nat).

(* (11) *)
Definition T1 : nat -> nat -> K := masked tril (scaled (scale c) (product_nt (dim c) (QC x)
  (VU x))).
Definition G : nat -> nat -> K :=
  masked (allowed c) (map (gate c) (scaled (scale c) (product_nt (dim c) (QU x) (KU x)))).
Definition SU : nat -> nat -> K := product_nt L T1 G.

(* (12): the softmax of row t is over s <= t *)
Definition SC : nat -> nat -> K := scaled (scale c) (product_nt (dim c) (QC x) (KC x)).
Definition scores (t s : nat) : K := SC t s - penalty c (SU t s).
Definition row_sum (t : nat) : K := \sum_(s < L | tril t s) weight c (scores t s).
Definition P : nat -> nat -> K :=
  masked tril (fun t s => weight c (scores t s) * inverse c (row_sum t)).
Definition parallel_output : nat -> nat -> K := product L P (VC x).

(* (3) at t = L *)
Definition UL : nat -> nat -> K := product L G (VU x).

End Parallel.

Section Proof.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K) (L : nat).

(* a sum over s <= t, as a masked sum over s < L *)
Lemma sum_tril t (f : nat -> K) :
  (t < L)%nat -> \sum_(s < L | tril t s) f s = \sum_(s < S t) f s.
Proof.
  intros Ht. rewrite (sum_widen (S t) L); [|lia|].
  - apply sum_ext. intros s Hs. unfold tril. destruct (Nat.leb_spec s t); [reflexivity|lia].
  - intros s Hs. unfold tril. destruct (Nat.leb_spec s t); [lia|reflexivity].
Qed.

(* (6) is (11): the dot product of QC_t with a sum of rows is the sum of the dot products *)
Lemma lookahead_score_flat t s :
  lookahead_score c x t s =
  \sum_(j < S t | allowed c s j) scale c * dot (dim c) (QC x t) (VU x j) * gate_of c x s j.
Proof.
  unfold lookahead_score, lookahead_key, dot at 1.
  rewrite (sum_ext _ _ (fun k => \sum_(j < S t)
    QC x t k * (if allowed c s j then gate_of c x s j * VU x j k else 0)))
    by (intros; now rewrite sum_mul_l).
  rewrite sum_exchange, <- sum_mul_l. apply sum_ext. intros j Hj.
  destruct (allowed c s j).
  - unfold dot. rewrite <- !sum_mul_l, <- sum_mul_r. apply sum_ext. intros k Hk. ring.
  - rewrite sum_zero; [ring|]. intros k Hk. ring.
Qed.

Theorem theorem1_SU t s : (t < L)%nat -> SU c x L t s = lookahead_score c x t s.
Proof.
  intros Ht. rewrite lookahead_score_flat, <- (sum_tril t) by assumption.
  apply sum_ext. intros j Hj. unfold T1, G, masked.
  destruct (tril t j), (allowed c s j); try reflexivity; ring.
Qed.

Lemma scores_are_score t s : (t < L)%nat -> scores c x L t s = score c x t s.
Proof. intros Ht. unfold scores, score. rewrite theorem1_SU by assumption. reflexivity. Qed.

Theorem theorem1_denominator t : (t < L)%nat -> row_sum c x L t = denominator c x t.
Proof.
  intros Ht. unfold row_sum. rewrite sum_tril by assumption.
  apply sum_ext. intros s _. now rewrite scores_are_score.
Qed.

Theorem theorem1_P t s : (t < L)%nat -> (s <= t)%nat -> P c x L t s = attention c x t s.
Proof.
  intros Ht Hs. unfold P, masked, tril. destruct (Nat.leb_spec s t); [|lia].
  now rewrite theorem1_denominator, scores_are_score.
Qed.

(* Theorem 1: row t of O is o_t. *)
Theorem theorem1 t k : (t < L)%nat -> parallel_output c x L t k = output c x t k.
Proof.
  intros Ht. unfold parallel_output, product, output. rewrite <- (sum_tril t) by assumption.
  apply sum_ext. intros s _. unfold tril. destruct (Nat.leb_spec s t).
  - now rewrite theorem1_P.
  - unfold P, masked, tril. destruct (Nat.leb_spec s t); [lia|ring].
Qed.

Theorem theorem1_keys s k : (0 < L)%nat -> UL c x L s k = lookahead_key c x (L - 1) s k.
Proof.
  intros HL. unfold lookahead_key. replace (S (L - 1)) with L by lia. apply sum_ext. intros j _.
  unfold G, masked. destruct (allowed c s j); [reflexivity|ring].
Qed.

(* Lookahead keys look ahead: SU is strictly lower triangular. *)
Theorem SU_strictly_lower t s :
  ahead (allowed c) -> (t <= s)%nat -> SU c x L t s = 0.
Proof.
  intros H Hs. apply sum_zero. intros j Hj. unfold T1, G, masked, tril.
  destruct (allowed c s j) eqn:E; [|ring]. apply H in E. destruct (Nat.leb_spec j t); [lia|ring].
Qed.

(* A head that can look nowhere is causal attention: W = 0, for one. *)
Theorem no_lookahead_is_causal t s :
  (forall j, allowed c s j = false) -> score c x t s = causal_score c x t s - penalty c 0.
Proof.
  intros H. unfold score. rewrite lookahead_score_flat, sum_zero; [reflexivity|].
  intros j _. now rewrite H.
Qed.

End Proof.

(* The two instances of the paper. *)
Definition with_mask {K : ring} (c : operator K) (mask : nat -> nat -> bool) : operator K :=
  Operator (dim c) (scale c) mask (gate c) (penalty c) (weight c) (inverse c).
Definition castle {K : ring} (c : operator K) := with_mask c castle_mask.
Definition castle_swl {K : ring} (W : nat) (c : operator K) := with_mask c (swl_mask W).

Corollary theorem1_castle {K : ring} (c : operator K) x L t k :
  (t < L)%nat -> parallel_output (castle c) x L t k = output (castle c) x t k.
Proof. apply theorem1. Qed.

Corollary theorem1_castle_swl {K : ring} W (c : operator K) x L t k :
  (t < L)%nat -> parallel_output (castle_swl W c) x L t k = output (castle_swl W c) x t k.
Proof. apply theorem1. Qed.
