(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Blockwise.v - Theorem 2, Algorithm 1: the sweep over block diagonals with one matrix D.
 *
 * States    the algorithm as the C text runs it, state and all, and that
 *             blockwise_is_sequential   its O is the definition's, for any L, any B >= 1, any
 *                                       reference points, and any skipping that is sound for the
 *                                       mask;
 *             blockwise_lse             e(m) l is the softmax's denominator;
 *             blockwise_D               (21), (23): what D holds after each diagonal;
 *             block_SU_is_lookahead_score   (22), (24);
 *             prefill_keys              Algorithm 4: D and the last block give U^L.
 * Needs     a mask that looks ahead only; of exp and 1/x what OnlineSoftmax.v needs.
 * C files   ref/blocks.c, ref/blockwise.c, ref/prefill.c (from an empty cache).
 *)
Require Import Castle.Definitions Castle.Causality Castle.Theorem1 Castle.Blocks
  Castle.OnlineSoftmax.
Require Import Ring.

Section Algorithm.

Context {K : ring}.
Variables (c : operator K) (x : inputs K).
Variables (L B : nat) (meets : nat -> nat -> bool).
Variable reference : nat -> nat -> K. (* the reference point that row t takes at key block j *)
Let start := start L B.
Let in_block := in_block L B.
Let count := count L B.

(* D: partial lookahead keys, L x d (the paper's D, transposed). rows t: the online softmax of
 * query t. *)
Record state := State { D : nat -> nat -> K; rows : nat -> online K }.
Definition begin : state := State (fun _ _ => 0) (fun _ => Online 0 0 (fun _ => 0)).

(* What the tokens of T_e add to the keys: G VU_e *)
Definition block_addition (e s k : nat) : K :=
  \sum_(start e <= r < start (S e)) G c x s r * VU x r k.

(* (23): D_j takes in the tokens of T_e. *)
Definition take_in_block (A : nat -> nat -> K) (j e : nat) : nat -> nat -> K :=
  if meets j e
  then fun s k => if in_block j s then A s k + block_addition e s k else A s k
  else A.

(* (22), (24): SU_ij *)
Definition block_SU (A : nat -> nat -> K) (i j t s : nat) : K :=
  let diagonal := \sum_(start i <= r < start (S i)) T1 c x t r * G c x s r in
  if i =? j then diagonal else scale c * dot (dim c) (QC x t) (A s) + diagonal.

(* (19) *)
Definition block_score (A : nat -> nat -> K) (i j t s : nat) : K :=
  causal_score c x t s - penalty c (block_SU A i j t s).

(* Queries T_i and keys T_j *)
Definition sweep_block (i j : nat) (st : state) : state :=
  let D' := if j <? i then take_in_block (D st) j (i - 1) else D st in
  let step (t : nat) : online K :=
    if i =? j
    then online_first (weight c) (tril t) (block_score D' i j t) (VC x)
           (reference t j) (start j) (start (S j))
    else online_next (weight c) (tril t) (block_score D' i j t) (VC x)
           (rows st t) (reference t j) (start j) (start (S j)) in
  State D' (fun t => if in_block i t then step t else rows st t).

(* Block diagonal k: blocks (j + k, j), j = 0 .. n-1; then all of them, k = 0 .. n-1. *)
Fixpoint sweep_diagonal (k n : nat) (st : state) : state :=
  match n with
  | O => st
  | S j => sweep_block (j + k) j (sweep_diagonal k j st)
  end.
Fixpoint sweep (n : nat) : state :=
  match n with
  | O => begin
  | S k => sweep_diagonal k (count - k) (sweep k)
  end.

Definition blockwise_D : nat -> nat -> K := D (sweep count).
Definition blockwise_m (t : nat) : K := m (rows (sweep count) t).
Definition blockwise_l (t : nat) : K := l (rows (sweep count) t).
Definition blockwise_output (t k : nat) : K :=
  acc (rows (sweep count) t) k * inverse c (blockwise_l t).

End Algorithm.
Arguments state : clear implicits.

Section Proof.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K) (L B : nat) (meets : nat -> nat -> bool).
Variable reference : nat -> nat -> K.
Hypothesis B_positive : (1 <= B)%nat.
Hypothesis mask_ahead : ahead (allowed c).
Hypothesis sound : meets_is_sound L B (allowed c) meets.
Let start := start L B.
Let count := count L B.

(* What the tokens before n give to the key of s: (3), stopped early *)
Definition partial_key (n s k : nat) : K := \sum_(r < n) G c x s r * VU x r k.

Lemma G_behind s r : (r <= s)%nat -> G c x s r = 0.
Proof.
  clear B_positive sound start count.
  intros H. unfold G, masked. destruct (allowed c s r) eqn:E; [|reflexivity].
  apply mask_ahead in E. lia.
Qed.

Lemma partial_key_own n s k : (n <= s)%nat -> partial_key n s k = 0.
Proof. clear B_positive sound start count. intros H. apply sum_zero. intros r Hr.
  rewrite G_behind by lia. ring. Qed.

Lemma partial_key_next e s k :
  partial_key (start (S e)) s k = partial_key (start e) s k + block_addition c x L B e s k.
Proof.
  clear B_positive.
  unfold partial_key. rewrite <- !range_from_0. apply range_cat.
  split; [lia|apply start_mono; lia].
Qed.

Lemma partial_key_is_key n s k : partial_key (S n) s k = lookahead_key c x n s k.
Proof.
  apply sum_ext. intros r _. unfold G, masked. destruct (allowed c s r); [reflexivity|ring].
Qed.

(* A skipped update adds nothing. *)
Lemma skipped_adds_nothing j e s k :
  (start j <= s < start (S j))%nat -> meets j e = false -> block_addition c x L B e s k = 0.
Proof.
  intros Hs Hm. apply range_zero. intros r Hr. unfold G, masked.
  destruct (allowed c s r) eqn:E; [|ring]. exfalso.
  rewrite (sound j e s r) in Hm; try discriminate; trivial; now apply in_block_iff.
Qed.

(* (22), (24): from what T_j has seen before T_i *)
Theorem block_SU_is_lookahead_score (A : nat -> nat -> K) i j t s :
  (start i <= t < start (S i))%nat -> (start j <= s < start (S j))%nat ->
  (j < i -> forall k, (k < dim c)%nat -> A s k = partial_key (start i) s k)%nat ->
  (j <= i)%nat ->
  block_SU c x L B A i j t s = lookahead_score c x t s.
Proof.
  intros Ht Hs HA Hji. pose proof (start_le L B (S i)) as HL.
  rewrite <- (theorem1_SU c x L t s) by (unfold start in *; lia).
  unfold SU, product_nt. rewrite <- (range_from_0 L).
  rewrite (range_cat 0 (start i) L) by (unfold start in *; lia).
  rewrite (range_cat (start i) (start (S i)) L) by (unfold start in *; lia).
  rewrite (range_zero (start (S i)) L).
  2: { intros r Hr. unfold T1, masked, tril. destruct (Nat.leb_spec r t); [lia|ring]. }
  unfold block_SU. fold start.
  destruct (Nat.eqb_spec i j) as [->|Hij].
  - rewrite (range_zero 0 (start j)); [ring|].
    intros r Hr. rewrite (G_behind s r) by lia. ring.
  - assert (HT : \sum_(0 <= r < start i) (T1 c x t r * G c x s r) =
                 scale c * dot (dim c) (QC x t) (A s)).
    { rewrite range_from_0. unfold dot.
      rewrite (sum_ext (dim c) (fun k => QC x t k * A s k)
        (fun k => \sum_(r < start i) QC x t k * (G c x s r * VU x r k))).
      2: { intros k Hk. rewrite HA by lia. unfold partial_key. now rewrite sum_mul_l. }
      rewrite sum_exchange, <- sum_mul_l. apply sum_ext. intros r Hr.
      unfold T1, masked, tril, scaled, product_nt. destruct (Nat.leb_spec r t); [|lia].
      rewrite <- !sum_mul_l, <- sum_mul_r. apply sum_ext. intros k _. ring. }
    rewrite HT. ring.
Qed.

(* Row t of the true scores, summed over entries from the block `j` up to query block i *)
Let row_total (t a b : nat) : K := \sum_(a <= s < b | tril t s) weight c (score c x t s).
Let row_acc (t a b k : nat) : K :=
  \sum_(a <= s < b | tril t s) weight c (score c x t s) * VC x s k.

(* How far the sweep has come: D_j has taken in all tokens before T_(a j); query block i has met b i
 * key blocks, i - b i + 1 .. i. *)
Definition reached (st : state K) (a b : nat -> nat) : Prop :=
  (forall j s k, (start j <= s < start (S j))%nat -> D st s k = partial_key (start (a j)) s k) /\
  (forall i t n, (start i <= t < start (S i))%nat -> b i = S n ->
     holds (weight c) (rows st t) (row_total t (start (i - n)) (start (S i)))
           (row_acc t (start (i - n)) (start (S i)))).

Lemma reached_ext st a b a' b' :
  (forall i, (i < count)%nat -> a i = a' i /\ b i = b' i) -> reached st a b -> reached st a' b'.
Proof.
  assert (Hin : forall i t, (start i <= t < start (S i))%nat -> (i < count)%nat).
  { intros i t Ht. destruct (Nat.le_gt_cases count i) as [H|H]; [|exact H].
    pose proof (start_mono L B count i H) as H1. pose proof (start_le L B (S i)) as H2.
    pose proof (start_count L B B_positive) as H3.
    unfold start, count in *. lia. }
  intros H [HD HR]. split.
  - intros j s k Hs. destruct (H j (Hin _ _ Hs)) as [<- _]. now apply HD.
  - intros i t n Ht. destruct (H i (Hin _ _ Ht)) as [_ <-]. now apply HR.
Qed.

Hypothesis law : rescalable (weight c) (inverse c).

Lemma holds_ext o A A' Bf Bf' :
  A = A' -> (forall k, Bf k = Bf' k) -> holds (weight c) o A Bf -> holds (weight c) o A' Bf'.
Proof. intros <- H [H1 H2]. split; [assumption|]. intros k. now rewrite <- H. Qed.

Definition set (f : nat -> nat) (i v : nat) : nat -> nat := fun j => if j =? i then v else f j.

Lemma take_in_spec st a b i j s k :
  reached st a b -> (j < i)%nat -> a j = (i - 1)%nat -> (start j <= s < start (S j))%nat ->
  take_in_block c x L B meets (D st) j (i - 1) s k = partial_key (start i) s k.
Proof.
  intros [HD _] Hji Ha Hs. unfold take_in_block.
  replace (start i) with (start (S (i - 1))) by (f_equal; lia).
  rewrite partial_key_next. destruct (meets j (i - 1)) eqn:E.
  - rewrite (proj2 (in_block_iff L B j s) Hs). rewrite (HD j s k Hs), Ha. reflexivity.
  - rewrite (skipped_adds_nothing j) by assumption. rewrite (HD j s k Hs), Ha. ring.
Qed.

Lemma take_in_elsewhere (A : nat -> nat -> K) j e s k :
  ~ (start j <= s < start (S j))%nat -> take_in_block c x L B meets A j e s k = A s k.
Proof.
  intros H. unfold take_in_block. destruct (meets j e); [|reflexivity].
  destruct (in_block L B j s) eqn:E; [|reflexivity]. apply in_block_iff in E. contradiction.
Qed.

Lemma sweep_block_spec st a b i j :
  reached st a b -> (j <= i)%nat -> a j = (if j <? i then i - 1 else j)%nat ->
  b i = (i - j)%nat ->
  reached (sweep_block c x L B meets reference i j st) (set a j i) (set b i (S (i - j))).
Proof.
  intros HI Hji Ha Hb. pose proof HI as [HD HR].
  set (D' := if j <? i then take_in_block c x L B meets (D st) j (i - 1) else D st).
  assert (HD' : forall s k, (start j <= s < start (S j))%nat ->
                            D' s k = partial_key (start i) s k).
  { intros s k Hs. unfold D'. destruct (Nat.ltb_spec j i) as [H|H].
    - now apply (take_in_spec st a b).
    - rewrite (HD j s k Hs), Ha. replace i with j by lia. reflexivity. }
  split.
  - intros j' s k Hs. simpl. fold D'. unfold set. destruct (Nat.eqb_spec j' j) as [->|Hne].
    + now apply HD'.
    + rewrite <- (HD j' s k Hs). unfold D'. destruct (j <? i); [|reflexivity].
      apply take_in_elsewhere. intros H. apply Hne. now apply (block_unique L B B_positive j' j s).
  - intros i' t n Ht. simpl. fold D'. unfold set. destruct (Nat.eqb_spec i' i) as [->|Hne].
    2: { destruct (in_block L B i t) eqn:E.
         - apply in_block_iff in E. destruct Hne. now apply (block_unique L B B_positive i' i t).
         - now apply HR. }
    rewrite (proj2 (in_block_iff L B i t) Ht). intros [= <-].
    replace (i - (i - j))%nat with j by lia.
    (* in this block the computed scores are the true ones *)
    assert (Hscore : forall s, (start j <= s < start (S j))%nat ->
                               block_score c x L B D' i j t s = score c x t s).
    { intros s Hs. unfold block_score, score. f_equal. f_equal.
      apply block_SU_is_lookahead_score; trivial. intros _ k _. now apply HD'. }
    destruct (Nat.eqb_spec i j) as [->|Hij].
    + eapply holds_ext; [| |apply (holds_first _ _ law)].
      * apply range_ext. intros s Hs. now rewrite Hscore.
      * intros k. apply range_ext. intros s Hs. now rewrite Hscore.
    + assert (Hmid : (start j <= start (S j) <= start (S i))%nat).
      { split; apply start_mono; lia. }
      eapply holds_ext; [| |apply (holds_next _ _ law)].
      3: { apply (HR i t (i - S j)%nat Ht). lia. }
      * replace (i - (i - S j))%nat with (S j) by lia. unfold row_total.
        rewrite (range_cat (start j) (start (S j)) (start (S i))) by assumption.
        rewrite (range_ext (start j) (start (S j)) _
                   (fun s => if tril t s then weight c (score c x t s) else 0)); [ring|].
        intros s Hs. now rewrite Hscore.
      * intros k. replace (i - (i - S j))%nat with (S j) by lia. unfold row_acc. cbv beta.
        rewrite (range_cat (start j) (start (S j)) (start (S i))) by assumption.
        rewrite (range_ext (start j) (start (S j)) _
                   (fun s => if tril t s then weight c (score c x t s) * VC x s k else 0));
          [ring|].
        intros s Hs. now rewrite Hscore.
Qed.

(* After k diagonals *)
Definition taken (k j : nat) : nat := Nat.min (j + (k - 1)) (count - 1).
Definition met (k i : nat) : nat := Nat.min k (S i).

Lemma sweep_diagonal_spec k n st :
  reached st (taken k) (met k) -> (n + k <= count)%nat ->
  reached (sweep_diagonal c x L B meets reference k n st)
          (fun j => if j <? n then taken (S k) j else taken k j)
          (fun i => if (k <=? i) && (i <? n + k) then met (S k) i else met k i).
Proof.
  intros H0 Hn. induction n as [|n IH].
  - revert H0. apply reached_ext. intros i Hi. split; [reflexivity|].
    destruct (Nat.leb_spec k i), (Nat.ltb_spec i (0 + k)); simpl; lia.
  - specialize (IH ltac:(lia)). simpl sweep_diagonal.
    eapply reached_ext; [|apply (sweep_block_spec _ _ _ _ _ IH)]; try lia.
    + intros i Hi. unfold set, taken, met. split.
      * destruct (Nat.eqb_spec i n), (Nat.ltb_spec i n), (Nat.ltb_spec i (S n)); lia.
      * destruct (Nat.eqb_spec i (n + k)), (Nat.leb_spec k i), (Nat.ltb_spec i (n + k)),
          (Nat.ltb_spec i (S n + k)); simpl; lia.
    + unfold taken. destruct (Nat.ltb_spec n n), (Nat.ltb_spec n (n + k)); lia.
    + unfold met. destruct (Nat.leb_spec k (n + k)), (Nat.ltb_spec (n + k) (n + k)); simpl; lia.
Qed.

Lemma sweep_spec k :
  (k <= count)%nat -> reached (sweep c x L B meets reference k) (taken k) (met k).
Proof.
  induction k as [|k IH]; intros Hk.
  - split; [|discriminate]. intros j s n Hs. simpl. unfold taken.
    rewrite partial_key_own; [reflexivity|]. transitivity (start j); [|apply Hs].
    apply start_mono. lia.
  - eapply reached_ext; [|simpl; apply sweep_diagonal_spec; [apply IH|]]; try lia.
    intros i Hi. change (Blocks.count L B) with count. unfold taken, met. split.
    + destruct (Nat.ltb_spec i (count - k)); lia.
    + destruct (Nat.leb_spec k i), (Nat.ltb_spec i (count - k + k)); simpl; lia.
Qed.

(* (21), (23): after the diagonals 0 .. k, D_j holds the keys of T_j as token blocks before T_(j+k)
 * make them. *)
Theorem blockwise_D_is_partial_key k j s n :
  (k < count)%nat -> (start j <= s < start (S j))%nat ->
  D (sweep c x L B meets reference (S k)) s n =
  partial_key (start (Nat.min (j + k) (count - 1))) s n.
Proof.
  intros Hk Hs. destruct (sweep_spec (S k) Hk) as [HD _]. rewrite (HD j s n Hs).
  unfold taken. do 4 f_equal. lia.
Qed.

Lemma final t :
  (t < L)%nat ->
  holds (weight c) (rows (sweep c x L B meets reference count) t) (denominator c x t)
        (fun k => \sum_(s < S t) weight c (score c x t s) * VC x s k).
Proof.
  intros Ht. destruct (block_of L B B_positive t Ht) as (i & Hi & Hit).
  destruct (sweep_spec count ltac:(lia)) as [_ HR].
  assert (Hn : met count i = S i) by (unfold met; lia).
  specialize (HR i t i Hit Hn). replace (i - i)%nat with 0%nat in HR by lia.
  assert (Hrow : forall f : nat -> K,
    \sum_(start 0 <= s < start (S i) | tril t s) f s = \sum_(s < S t) f s).
  { intros f. change (start 0) with 0%nat. rewrite range_from_0.
    rewrite sum_tril; [reflexivity|]. apply Hit. }
  revert HR. apply holds_ext; [apply Hrow|intros k; apply Hrow].
Qed.

(* lse = m + log l *)
Theorem blockwise_lse t :
  (t < L)%nat ->
  weight c (blockwise_m c x L B meets reference t) * blockwise_l c x L B meets reference t =
  denominator c x t.
Proof. intros Ht. apply (final t Ht). Qed.

(* Theorem 2: the sweep answers what the definition does. *)
Theorem blockwise_is_sequential t k :
  (t < L)%nat -> blockwise_output c x L B meets reference t k = output c x t k.
Proof.
  intros Ht. unfold blockwise_output, blockwise_l.
  etransitivity; [apply (holds_softmax _ _ law _ _ _ k (final t Ht))|].
  unfold output. rewrite <- sum_mul_r. apply sum_ext. intros s _. unfold attention. ring.
Qed.

Corollary blockwise_is_parallel t k :
  (t < L)%nat -> blockwise_output c x L B meets reference t k = parallel_output c x L t k.
Proof. intros Ht. rewrite theorem1 by assumption. now apply blockwise_is_sequential. Qed.

(* Algorithm 4, from an empty cache: (23) once more for every key block gives U^L. *)
Theorem prefill_keys j s k :
  (start j <= s < start (S j))%nat ->
  take_in_block c x L B meets (blockwise_D c x L B meets reference) j (count - 1) s k =
  lookahead_key c x (L - 1) s k.
Proof.
  intros Hs. assert (HL : (1 <= L)%nat) by (pose proof (start_le L B
    (S j)); unfold start in *; lia).
  pose proof (count_positive L B B_positive HL) as HN. fold count in HN.
  destruct (sweep_spec count ltac:(lia)) as [HD _].
  rewrite <- partial_key_is_key. replace (S (L - 1)) with (start count)
    by (unfold start, count; rewrite start_count; lia).
  replace (start count) with (start (S (count - 1))) by (f_equal; lia).
  rewrite partial_key_next. unfold take_in_block, blockwise_D. fold count.
  assert (Hj : taken count j = (count - 1)%nat) by (unfold taken; lia).
  destruct (meets j (count - 1)) eqn:E.
  - rewrite (proj2 (in_block_iff L B j s) Hs), (HD j s k Hs), Hj. reflexivity.
  - rewrite (skipped_adds_nothing j), (HD j s k Hs), Hj by assumption. ring.
Qed.

End Proof.

(* The paper's two masks, with the blocks that ref/blocks.c skips. *)
Corollary blockwise_castle {K : ring} (c : operator K) x L B reference t k :
  (1 <= B)%nat -> (t < L)%nat -> rescalable (weight c) (inverse c) ->
  blockwise_output (castle c) x L B (castle_meets L B) reference t k = output (castle c) x t k.
Proof.
  intros HB Ht law. apply blockwise_is_sequential; trivial.
  - apply castle_mask_ahead.
  - apply castle_meets_is_sound.
Qed.

Corollary blockwise_castle_swl {K : ring} W (c : operator K) x L B reference t k :
  (1 <= B)%nat -> (t < L)%nat -> rescalable (weight c) (inverse c) ->
  blockwise_output (castle_swl W c) x L B (swl_meets L B W) reference t k =
  output (castle_swl W c) x t k.
Proof.
  intros HB Ht law. apply blockwise_is_sequential; trivial.
  - apply swl_mask_ahead.
  - apply swl_meets_is_sound.
Qed.
