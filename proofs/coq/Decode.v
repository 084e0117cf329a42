(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Decode.v - Algorithm 5: one token at a time, from the UQ-KV cache {U, QU, KC, VC}.
 *
 * States    the recurrence (13); and that a whole run of decoding, from an empty cache, answers
 *           what the definition does and leaves U^L in the cache.
 * Equations (13), then (5) to (8). Theorem 3. C file: ref/decode.c.
 * Mask      any that looks ahead only: the new row of U is 0.
 *)
Require Import Castle.Definitions Castle.Causality.
Require Import Ring.

Section Algorithm.

Context {K : ring}.
Variable c : operator K.

(* The six rows of one token. *)
Record token := Token { qu : nat -> K; ku : nat -> K; vu : nat -> K;
                        qc : nat -> K; kc : nat -> K; vc : nat -> K }.
Definition token_of (x : inputs K) (t : nat) : token :=
  Token (QU x t) (KU x t) (VU x t) (QC x t) (KC x t) (VC x t).

(* Rows at `length` and past it are free, and rows of cU there are 0. *)
Record cache := Cache { cU : nat -> nat -> K; cQU : nat -> nat -> K;
                        cKC : nat -> nat -> K; cVC : nat -> nat -> K; length : nat }.

Definition empty : cache := Cache (fun _ _ => 0) (fun _ _ => 0) (fun _ _ => 0) (fun _ _ => 0) 0.

Definition set_row (A : nat -> nat -> K) (t : nat) (row : nat -> K) : nat -> nat -> K :=
  fun s => if s =? t then row else A s.

(* (13): every key that token t is allowed to reach takes in gate * vu *)
Definition update_lookahead_keys (m : cache) (v : token) : nat -> nat -> K := fun s k =>
  if (s <? length m) && allowed c s (length m)
  then cU m s k + gate c (scale c * dot (dim c) (cQU m s) (ku v)) * vu v k
  else cU m s k.

Definition take_in (m : cache) (v : token) : cache :=
  let t := length m in
  Cache (update_lookahead_keys m v) (set_row (cQU m) t (qu v)) (set_row (cKC m) t (kc v))
        (set_row (cVC m) t (vc v)) (S t).

(* (5) to (8), of a token that the cache has just taken in *)
Definition cache_score (m : cache) (v : token) (s : nat) : K :=
  scale c * dot (dim c) (qc v) (cKC m s) - penalty c (scale c * dot (dim c) (qc v) (cU m s)).
Definition cache_denominator (m : cache) (v : token) : K :=
  \sum_(s < length m) weight c (cache_score m v s).
Definition cache_output (m : cache) (v : token) (k : nat) : K :=
  \sum_(s < length m)
    weight c (cache_score m v s) * inverse c (cache_denominator m v) * cVC m s k.

(* One step: the new cache, o_t and the softmax's denominator. *)
Definition decode_step (m : cache) (v : token) : cache * (nat -> K) * K :=
  let m' := take_in m v in (m', cache_output m' v, cache_denominator m' v).

(* The run: the cache after n tokens of x, and what the step of token t answers. *)
Fixpoint cache_after (x : inputs K) (n : nat) : cache :=
  match n with
  | O => empty
  | S t => fst (fst (decode_step (cache_after x t) (token_of x t)))
  end.
Definition decode_output (x : inputs K) (t : nat) : nat -> K :=
  snd (fst (decode_step (cache_after x t) (token_of x t))).
Definition decode_denominator (x : inputs K) (t : nat) : K :=
  snd (decode_step (cache_after x t) (token_of x t)).

End Algorithm.
Arguments cache : clear implicits.
Arguments token : clear implicits.

Section Proof.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K).

(* (13) for the definition: what one more token does to the key of s *)
Theorem recurrence t s k :
  lookahead_key c x (S t) s k =
  lookahead_key c x t s k + (if allowed c s (S t) then gate_of c x s (S t) * VU x (S t) k else 0).
Proof. reflexivity. Qed.

Hypothesis mask_ahead : ahead (allowed c).

(* u_s^t is 0 until a token after s has come: the own score is purely causal. *)
Theorem own_key_is_zero t s k : (t <= s)%nat -> lookahead_key c x t s k = 0.
Proof.
  intros H. apply sum_zero. intros j Hj. destruct (allowed c s j) eqn:E; [|reflexivity].
  apply mask_ahead in E. lia.
Qed.

(* The cache after n tokens: U holds u_s^{n-1}. *)
Lemma cache_after_spec n :
  let m := cache_after c x n in
  length m = n /\
  (forall s k, (s < n)%nat -> cQU m s k = QU x s k /\ cKC m s k = KC x s k /\
    cVC m s k = VC x s k) /\
  (forall s k, cU m s k = \sum_(j < n | allowed c s j) gate_of c x s j * VU x j k).
Proof.
  induction n as [|n (HL & HR & HU)]; [now repeat split; intros; try lia|].
  cbn zeta in *. simpl cache_after. set (m := cache_after c x n) in *.
  unfold take_in, update_lookahead_keys. simpl. rewrite HL. repeat split.
  1-3: unfold set_row; destruct (Nat.eqb_spec s n) as [->|]; [reflexivity|apply HR; lia].
  intros s k. rewrite HU. destruct (allowed c s n) eqn:E; rewrite ?andb_false_r, ?andb_true_r.
  - apply mask_ahead in E. destruct (Nat.ltb_spec s n); [|lia]. f_equal. f_equal.
    unfold gate_of. f_equal. f_equal. apply dot_ext. intros i _. split; [now apply HR|reflexivity].
  - ring.
Qed.

Lemma decode_cache_keys n s k :
  cU (cache_after c x (S n)) s k = lookahead_key c x n s k.
Proof. apply (cache_after_spec (S n)). Qed.

Lemma decode_score t s :
  (s <= t)%nat ->
  cache_score c (cache_after c x (S t)) (token_of x t) s = score c x t s.
Proof.
  intros Hs. destruct (cache_after_spec (S t)) as (_ & HR & HU).
  unfold cache_score, score, causal_score, lookahead_score. f_equal; [f_equal|f_equal; f_equal].
  - apply dot_ext. intros k _. split; [reflexivity|apply HR; lia].
  - apply dot_ext. intros k _. split; [reflexivity|apply HU].
Qed.

Lemma cache_length n : length (cache_after c x n) = n.
Proof. apply cache_after_spec. Qed.

Theorem decode_denominator_is_sequential t : decode_denominator c x t = denominator c x t.
Proof.
  change (decode_denominator c x t)
    with (cache_denominator c (cache_after c x (S t)) (token_of x t)).
  unfold cache_denominator. rewrite cache_length. apply sum_ext. intros s Hs.
  rewrite decode_score by lia. reflexivity.
Qed.

(* Theorem 3, decoding: every answer of the run is the definition's. *)
Theorem decode_is_sequential t k : decode_output c x t k = output c x t k.
Proof.
  change (decode_output c x t k)
    with (cache_output c (cache_after c x (S t)) (token_of x t) k).
  unfold cache_output. rewrite cache_length. apply sum_ext. intros s Hs.
  change (cache_denominator c (cache_after c x (S t)) (token_of x t))
    with (decode_denominator c x t).
  rewrite decode_denominator_is_sequential, decode_score by lia.
  destruct (cache_after_spec (S t)) as (_ & HR & _). destruct (HR s k Hs) as (_ & _ & ->).
  reflexivity.
Qed.

(* ... and the cache of L > 0 tokens holds the lookahead keys U^L. *)
Theorem decode_keys_are_sequential n s k :
  cU (cache_after c x (S n)) s k = lookahead_key c x n s k.
Proof. apply decode_cache_keys. Qed.

End Proof.

(* With a window, row s of U stops changing after token s + W. *)
Theorem window_at_rest {K : ring} (c : operator K) (x : inputs K) W t s k :
  allowed c = swl_mask W -> (s + W <= t)%nat ->
  lookahead_key c x t s k = lookahead_key c x (s + W) s k.
Proof.
  intros Hc H. unfold lookahead_key. rewrite Hc. apply sum_widen; [lia|].
  intros j Hj. unfold swl_mask. destruct (Nat.leb_spec j (s + W)%nat); [lia|].
  now rewrite andb_false_r.
Qed.
