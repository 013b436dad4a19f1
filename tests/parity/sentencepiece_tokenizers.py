"""BPE tokenizers over characters, as converted from SentencePiece, trained on the spot: Llama 2, Mistral, Phi-3, Gemma and their relatives."""

import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizer_texts import SENTENCES


def sentencepiece(special, fallback=range(256), across_words=False, **model_options):
    """BPE over characters with ▁ for spaces, and with byte tokens behind the trained vocabulary."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    if across_words:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES[:3] * 3, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    for byte in fallback:
        model["vocab"][f"<0x{byte:02X}>"] = len(model["vocab"])
    for run in ("▁▁", "▁▁▁▁"):
        model["vocab"].setdefault(run, len(model["vocab"]))
        model["merges"].append([run[: len(run) // 2]] * 2)
    options = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True} | model_options
    result = Tokenizer(
        models.BPE(
            vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]], **options
        )
    )
    return result, special


def finish_sentencepiece(tokenizer, special, bos):
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    return tokenizer


def llama2_decoder(strip=True):
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + [decoders.Strip(content=" ", left=1)] * strip)


LLAMA_SPECIAL = ["<unk>", "<s>", "</s>"]
GEMMA_SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]


def llama2_legacy():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = llama2_decoder()
    return finish_sentencepiece(tokenizer, special, "<s>")


def llama2_normalized_specials():
    """As older Llama-2 files have it: special tokens are looked for in normalized text."""
    tokenizer = llama2_legacy()
    description = json.loads(tokenizer.to_str())
    for token in description["added_tokens"]:
        token["normalized"] = True
    return Tokenizer.from_str(json.dumps(description))


def mistral():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fuse_unk=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = llama2_decoder()
    tokenizer = finish_sentencepiece(tokenizer, special, "<s>")
    tokenizer.add_special_tokens(["[INST]", "[/INST]"])
    return tokenizer


def phi3():
    tokenizer = llama2_legacy()
    tokenizer.post_processor = None
    tokenizer.add_tokens(
        [
            AddedToken("<|im_start|>", rstrip=True, special=True, normalized=False),
            AddedToken("<|im_end|>", rstrip=True, special=False, normalized=False),
            AddedToken("word", single_word=True, lstrip=True, normalized=False),
        ]
    )
    return tokenizer


def gemma():
    tokenizer, special = sentencepiece(GEMMA_SPECIAL)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    tokenizer.decoder = llama2_decoder(strip=False)
    tokenizer = finish_sentencepiece(tokenizer, special, "<bos>")
    tokenizer.add_special_tokens(["<start_of_turn>"])
    tokenizer.add_tokens([AddedToken(run, normalized=False) for run in ("\n\n", "▁▁", "\t")])
    return tokenizer


def merges_across_words():
    tokenizer, special = sentencepiece(GEMMA_SPECIAL, across_words=True)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = llama2_decoder(strip=False)
    return finish_sentencepiece(tokenizer, special, "<bos>")


def some_bytes_missing():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fallback=range(0x80, 0xF0, 2))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(" ", "▁"), normalizers.Prepend("▁")]
    )
    tokenizer.decoder = llama2_decoder()
    return finish_sentencepiece(tokenizer, special, "<s>")


def unknown_without_fallback():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fallback=[], byte_fallback=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=True)
    return finish_sentencepiece(tokenizer, special, "<s>")


def metaspace_first_after_normalizers():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fuse_unk=False, ignore_merges=True)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("xy"), normalizers.Replace("x", " z")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("y", behavior="isolated"),
            pre_tokenizers.Metaspace(prepend_scheme="first", split=True),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    tokenizer.add_tokens(["z", "[W]"])
    return finish_sentencepiece(tokenizer, special, "<s>")


def no_decoder():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    return finish_sentencepiece(tokenizer, special, "<s>")
