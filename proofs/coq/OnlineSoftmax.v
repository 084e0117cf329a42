(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * OnlineSoftmax.v - Algorithm 2: a softmax whose entries arrive block by block.
 *
 * States    with any reference points m_0, m_1, .. (the running maximum is one choice, made for
 *           range), the state (m, l, O) after any blocks satisfies e(m) l = sum of e(score) and
 *           e(m) O = sum of e(score) value, so O / l is the softmax over all of them.
 * Needs     e(a + b) = e(a) e(b), e(0) = 1, 1/1 = 1, and 1/(a x) = b / x where a b = 1.
 *           RealFunctions.v shows them for exp and 1/x over the reals.
 * C file    ref/blockwise.c, online_softmax.
 *)
Require Import Castle.Definitions.
Require Import Ring.

(* What a weight function and an inverse must satisfy for rescaling to be right. *)
Record rescalable {K : ring} (e inv : K -> K) : Prop := Rescalable {
  weight_law : forall a b, e (a + b) = e a * e b;
  weight_0 : e 0 = 1;
  inverse_1 : inv 1 = 1;
  inverse_law : forall a b y, a * b = 1 -> inv (a * y) = b * inv y
}.

Section Algorithm.

Context {K : ring}.
Variable e : K -> K.

(* One row of scores, s = 0, 1, ..; absent entries take no part. *)
Variables (present : nat -> bool) (score : nat -> K) (value : nat -> nat -> K).

(* m: reference point; l: sum of e(score - m); acc: O before its division by l. *)
Record online := Online { m : K; l : K; acc : nat -> K }.

(* Entries a .. b-1, shifted by m' *)
Definition block_l (m' : K) (a b : nat) : K := \sum_(a <= s < b | present s) e (score s - m').
Definition block_acc (m' : K) (a b k : nat) : K :=
  \sum_(a <= s < b | present s) e (score s - m') * value s k.

(* The first block begins with its own m'; later ones rescale by e(m - m'). *)
Definition online_first (m' : K) (a b : nat) : online :=
  Online m' (block_l m' a b) (block_acc m' a b).
Definition online_next (o : online) (m' : K) (a b : nat) : online :=
  Online m' (l o * e (m o - m') + block_l m' a b)
         (fun k => acc o k * e (m o - m') + block_acc m' a b k).

(* Blocks 0 .. n, block i being entries first i .. last i - 1, with reference point m_i *)
Fixpoint online_run (ms : nat -> K) (first last : nat -> nat) (n : nat) : online :=
  match n with
  | O => online_first (ms 0%nat) (first 0%nat) (last 0%nat)
  | S n' => online_next (online_run ms first last n') (ms n) (first n) (last n)
  end.

End Algorithm.
Arguments online : clear implicits.

Section Proof.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (e inv : K -> K).
Hypothesis law : rescalable e inv.
Variables (present : nat -> bool) (score : nat -> K) (value : nat -> nat -> K).

Lemma weight_sub a b : e a * e (b - a) = e b.
Proof. rewrite <- (weight_law _ _ law). f_equal. ring. Qed.

Lemma weight_cancels a : e a * e (0 - a) = 1.
Proof. rewrite weight_sub. apply (weight_0 _ _ law). Qed.

Lemma block_l_shifted m' a b :
  e m' * block_l e present score m' a b = \sum_(a <= s < b | present s) e (score s).
Proof.
  unfold block_l. rewrite <- range_mul_l. apply range_ext. intros s _.
  destruct (present s); [apply weight_sub|ring].
Qed.

Lemma block_acc_shifted m' a b k :
  e m' * block_acc e present score value m' a b k =
  \sum_(a <= s < b | present s) e (score s) * value s k.
Proof.
  unfold block_acc. rewrite <- range_mul_l. apply range_ext. intros s _.
  destruct (present s); [|ring]. rewrite <- (weight_sub m' (score s)). ring.
Qed.

(* What a state is after entries whose sums are A (of e) and B (of e times value). *)
Definition holds (o : online K) (A : K) (B : nat -> K) : Prop :=
  e (m o) * l o = A /\ forall k, e (m o) * acc o k = B k.

Lemma holds_first m' a b :
  holds (online_first e present score value m' a b)
        (\sum_(a <= s < b | present s) e (score s))
        (fun k => \sum_(a <= s < b | present s) e (score s) * value s k).
Proof. split; [apply block_l_shifted|intros k; apply block_acc_shifted]. Qed.

Lemma holds_next o A B m' a b :
  holds o A B ->
  holds (online_next e present score value o m' a b)
        (A + \sum_(a <= s < b | present s) e (score s))
        (fun k => B k + \sum_(a <= s < b | present s) e (score s) * value s k).
Proof.
  intros [HA HB]. split; simpl.
  - rewrite <- HA, <- (block_l_shifted m'), <- (weight_sub m' (m o)). ring.
  - intros k. rewrite <- HB, <- (block_acc_shifted m'), <- (weight_sub m' (m o)). ring.
Qed.

(* O / l, whatever the last reference point *)
Lemma holds_softmax o A B k : holds o A B -> acc o k * inv (l o) = B k * inv A.
Proof.
  intros [<- HB]. rewrite <- HB, (inverse_law _ _ law _ _ _ (weight_cancels (m o))).
  transitivity (e (m o) * e (0 - m o) * (acc o k * inv (l o))); [rewrite weight_cancels|]; ring.
Qed.

Variables (ms : nat -> K) (first last : nat -> nat).
Let total n := \sum_(i < S n) \sum_(first i <= s < last i | present s) e (score s).
Let weighted n k :=
  \sum_(i < S n) \sum_(first i <= s < last i | present s) e (score s) * value s k.
Let run := online_run e present score value ms first last.

Lemma run_holds n : holds (run n) (total n) (weighted n).
Proof.
  induction n as [|n IH].
  - destruct (holds_first (ms 0%nat) (first 0%nat) (last 0%nat)) as [HA HB].
    split; [etransitivity; [exact HA|]|intros k; etransitivity; [exact (HB k)|]];
      unfold total, weighted; cbn [sum]; ring.
  - exact (holds_next _ _ _ (ms (S n)) (first (S n)) (last (S n)) IH).
Qed.

(* Algorithm 2: the denominator, which lse = m + log l is the logarithm of, *)
Theorem online_denominator n : e (m (run n)) * l (run n) = total n.
Proof. apply run_holds. Qed.

(* and the softmax. *)
Theorem online_softmax n k : acc (run n) k * inv (l (run n)) = weighted n k * inv (total n).
Proof. apply holds_softmax, run_holds. Qed.

End Proof.
