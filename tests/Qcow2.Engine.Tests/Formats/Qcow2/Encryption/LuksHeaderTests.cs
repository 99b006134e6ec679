using Qcow2.Engine.Formats.Qcow2.Encryption;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class LuksHeaderTests
{
    /// <summary>What is damaged, the error it gives and what the message has to name.</summary>
    public static TheoryData<string, Qcow2ErrorCode, string[]> Hostile { get; } = new()
    {
        { "magic", Qcow2ErrorCode.ImageCorrupt, ["magic"] },
        { "version 0", Qcow2ErrorCode.UnsupportedFeature, ["version is 0"] },
        { "version 2", Qcow2ErrorCode.UnsupportedFeature, ["version is 2", "version 1"] },
        { "cipher-name unterminated", Qcow2ErrorCode.ImageCorrupt, ["cipher-name", "NUL", "32"] },
        { "cipher-mode unterminated", Qcow2ErrorCode.ImageCorrupt, ["cipher-mode", "NUL"] },
        { "hash-spec unterminated", Qcow2ErrorCode.ImageCorrupt, ["hash-spec", "NUL"] },
        { "uuid unterminated", Qcow2ErrorCode.ImageCorrupt, ["uuid", "NUL", "40"] },
        { "cipher-name escape sequence", Qcow2ErrorCode.ImageCorrupt, ["cipher-name", "0x1b at 1"] },
        { "hash-spec not ASCII", Qcow2ErrorCode.ImageCorrupt, ["hash-spec", "0xe9"] },
        { "key-bytes 0", Qcow2ErrorCode.ImageCorrupt, ["key-bytes is 0"] },
        { "key-bytes 65", Qcow2ErrorCode.LimitExceeded, ["key-bytes is 65", "64"] },
        { "key-bytes max", Qcow2ErrorCode.LimitExceeded, ["key-bytes is 4294967295", "64"] },
        { "mk-digest-iter 0", Qcow2ErrorCode.ImageCorrupt, ["mk-digest-iter is 0"] },
        { "mk-digest-iter max", Qcow2ErrorCode.LimitExceeded, ["mk-digest-iter is 4294967295", "200000000"] },
        { "slot state", Qcow2ErrorCode.ImageCorrupt, ["slot 3 active", "0x12345678"] },
        { "slot iterations 0", Qcow2ErrorCode.ImageCorrupt, ["slot 0 iterations is 0"] },
        { "slot iterations over", Qcow2ErrorCode.LimitExceeded, ["slot 0 iterations is 200000001", "200000000"] },
        { "slot stripes 0", Qcow2ErrorCode.ImageCorrupt, ["slot 5 stripes is 0", "4000"] },
        { "slot stripes 3999", Qcow2ErrorCode.ImageCorrupt, ["slot 5 stripes is 3999", "4000"] },
        { "slot stripes max", Qcow2ErrorCode.LimitExceeded, ["slot 5 stripes is 4294967295", "4000"] },
        { "slot in header", Qcow2ErrorCode.ImageCorrupt, ["slot 1 key-material-offset is 0x200", "592"] },
        { "slot past end", Qcow2ErrorCode.ImageCorrupt, ["slot 7 key-material-offset is 0x1baa00", "0x1f9000"] },
        { "slot far away", Qcow2ErrorCode.ImageCorrupt, ["slot 7 key-material-offset is 0x1fffffffe00"] },
        { "slots overlap", Qcow2ErrorCode.ImageCorrupt, ["slot 2", "overlap", "slot 1"] },
        { "slots the same", Qcow2ErrorCode.ImageCorrupt, ["slot 6", "overlap", "slot 0"] },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Damage_is_refused_with_the_field_its_value_and_the_limit(string damage, Qcow2ErrorCode code, string[] named)
    {
        LuksHeaderBytes header = Damage(damage);

        var error = Assert.Throws<Qcow2Exception>(() => header.Parse());

        Assert.Equal(code, error.Code);
        Assert.All(named, text => Assert.Contains(text, error.Message));
        Assert.All(error.Message, c => Assert.InRange(c, ' ', '~'));
    }

    [Theory]
    [InlineData(0, 592)]
    [InlineData(591, 2068480)]
    [InlineData(592, 591)]
    [InlineData(592, -1)]
    public void A_short_header_is_refused(int length, long areaLength)
    {
        var error = Assert.Throws<Qcow2Exception>(() => LuksHeader.Parse(new LuksHeaderBytes().Bytes.AsSpan(0, length), areaLength));

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, error.Code);
        Assert.Contains("592", error.Message);
    }

    [Fact]
    public void Any_single_damaged_byte_parses_or_is_refused_cleanly()
    {
        for (int at = 0; at < LuksHeader.Size; at++)
        {
            foreach (byte value in new byte[] { 0x00, 0x01, 0x7F, 0x80, 0xFF })
            {
                var header = new LuksHeaderBytes();
                header.Bytes[at] = value;
                try
                {
                    LuksCipherSpec.Resolve(header.Parse());
                }
                catch (Qcow2Exception error)
                {
                    Assert.NotEmpty(error.Message);
                }
            }
        }
    }

    [Fact]
    public void Fields_are_read()
    {
        LuksHeader header = new LuksHeaderBytes().Parse();

        Assert.Equal("aes", header.CipherName);
        Assert.Equal("xts-plain64", header.CipherModeSpec);
        Assert.Equal("sha256", header.HashSpec);
        Assert.Equal("66b1ca6e-457b-45f1-b02f-3e6c478c5522", header.Uuid);
        Assert.Equal(64, header.KeyBytes);
        Assert.Equal(2068480, header.PayloadOffset);
        Assert.Equal(10416u, header.MasterKeyIterations);
        Assert.Equal(256000, header.KeyMaterialLength);
        Assert.Equal([.. Enumerable.Repeat((byte)0xD1, 20)], header.MasterKeyDigest);
        Assert.Equal([.. Enumerable.Repeat((byte)0x5A, 32)], header.MasterKeySalt);
        Assert.Equal([4096, 262144, 520192, 778240, 1036288, 1294336, 1552384, 1810432], header.KeySlots.Select(slot => slot.KeyMaterialOffset));
        Assert.Equal(0, header.KeySlots.Single(slot => slot.IsActive).Index);
        Assert.Equal([.. Enumerable.Repeat((byte)3, 32)], header.KeySlots[3].Salt);
    }

    [Fact]
    public void The_payload_offset_means_nothing_and_is_not_checked()
        => Assert.Equal(0xFFFFFFFFL * 512, new LuksHeaderBytes().U32(104, uint.MaxValue).Parse().PayloadOffset);

    [Fact]
    public void Iterations_of_an_inactive_slot_do_not_matter()
        => Assert.False(new LuksHeaderBytes().Slot(4, 4, uint.MaxValue).Parse().KeySlots[4].IsActive);

    [Fact]
    public void Information_is_there_for_ciphers_that_cannot_be_unlocked()
    {
        LuksInfo info = new LuksHeaderBytes().Text(8, "serpent").Text(40, "cbc-essiv:sha256").Text(72, "ripemd160").U32(108, 32).Parse().ToInfo();

        Assert.Equal("serpent-256", info.CipherAlgorithm);
        Assert.Equal("cbc", info.CipherMode);
        Assert.Equal("essiv", info.IvGeneratorAlgorithm);
        Assert.Equal("sha256", info.IvGeneratorHash);
        Assert.Equal("ripemd160", info.HashAlgorithm);
    }

    [Theory]
    [InlineData("ecb", "ecb", null, null)]
    [InlineData("xts-plain64", "xts", "plain64", null)]
    [InlineData("cbc-essiv:sha256", "cbc", "essiv", "sha256")]
    [InlineData("cbc-plain:sha256", "cbc", "plain", null)]
    [InlineData("cbc-essiv", "cbc", "essiv", null)]
    [InlineData("-", "", "", null)]
    [InlineData("a-b-c:d:e", "a", "b-c", null)]
    public void Mode_specifications_fall_into_parts(string spec, string mode, string? generator, string? hash)
        => Assert.Equal(new LuksModeSpec(mode, generator, hash), LuksModeSpec.Parse(spec));

    [Theory]
    [InlineData("serpent", "xts-plain64", 64u, "cipher-name", "serpent")]
    [InlineData("twofish", "xts-plain64", 64u, "cipher-name", "twofish")]
    [InlineData("cast5", "cbc-plain64", 16u, "cipher-name", "cast5")]
    [InlineData("AES", "xts-plain64", 64u, "cipher-name", "AES")]
    [InlineData("aes", "pcbc", 32u, "cipher-mode", "pcbc")]
    [InlineData("aes", "lrw-plain64", 32u, "cipher-mode", "lrw")]
    [InlineData("aes", "xcbc-plain64", 32u, "cipher-mode", "xcbc")]
    [InlineData("aes", "xts", 64u, "cipher-mode", "no IV generator")]
    [InlineData("aes", "cbc-benbi", 32u, "cipher-mode", "benbi")]
    [InlineData("aes", "cbc-lmk:sha256", 32u, "cipher-mode", "lmk")]
    [InlineData("aes", "cbc-essiv:sha1", 32u, "cipher-mode", "sha1")]
    [InlineData("aes", "cbc-essiv:sha512", 32u, "cipher-mode", "sha512")]
    [InlineData("aes", "cbc-essiv:whirlpool", 32u, "cipher-mode", "whirlpool")]
    [InlineData("aes", "xts-plain64", 63u, "key-bytes is 63", "32, 48 or 64")]
    [InlineData("aes", "xts-plain64", 16u, "key-bytes is 16", "32, 48 or 64")]
    [InlineData("aes", "cbc-plain64", 64u, "key-bytes is 64", "16, 24 or 32")]
    public void Unknown_algorithms_are_named(string cipher, string mode, uint keyBytes, string field, string value)
    {
        LuksHeader header = new LuksHeaderBytes().Text(8, cipher).Text(40, mode).U32(108, keyBytes).Parse();

        var error = Assert.Throws<Qcow2Exception>(() => LuksCipherSpec.Resolve(header));

        Assert.Equal(Qcow2ErrorCode.UnsupportedFeature, error.Code);
        Assert.Contains(field, error.Message);
        Assert.Contains(value, error.Message);
    }

    [Fact]
    public void Essiv_without_a_hash_is_corrupt()
    {
        var error = Assert.Throws<Qcow2Exception>(() => LuksCipherSpec.Resolve(new LuksHeaderBytes().Text(40, "cbc-essiv").U32(108, 32).Parse()));

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, error.Code);
        Assert.Contains("cbc-essiv", error.Message);
    }

    private static LuksHeaderBytes Damage(string what)
    {
        var header = new LuksHeaderBytes();
        return what switch
        {
            "magic" => header.U32(0, 0x4C554B54),
            "version 0" => header.U32(4, 0xBABE0000),
            "version 2" => header.U32(4, 0xBABE0002),
            "cipher-name unterminated" => header.Text(8, new string('a', 32)),
            "cipher-mode unterminated" => header.Text(40, new string('a', 32)),
            "hash-spec unterminated" => header.Text(72, new string('a', 32)),
            "uuid unterminated" => header.Text(168, new string('a', 40)),
            "cipher-name escape sequence" => header.Text(8, "a\u001b[2J"),
            "hash-spec not ASCII" => header.Text(72, "\u00e9"),
            "key-bytes 0" => header.U32(108, 0),
            "key-bytes 65" => header.U32(108, 65),
            "key-bytes max" => header.U32(108, uint.MaxValue),
            "mk-digest-iter 0" => header.U32(164, 0),
            "mk-digest-iter max" => header.U32(164, uint.MaxValue),
            "slot state" => header.Slot(3, 0, 0x12345678),
            "slot iterations 0" => header.Slot(0, 4, 0),
            "slot iterations over" => header.Slot(0, 4, 200_000_001),
            "slot stripes 0" => header.Slot(5, 44, 0),
            "slot stripes 3999" => header.Slot(5, 44, 3999),
            "slot stripes max" => header.Slot(5, 44, uint.MaxValue),
            "slot in header" => header.Slot(1, 40, 1),
            "slot past end" => header.Slot(7, 40, 3541),
            "slot far away" => header.Slot(7, 40, uint.MaxValue),
            "slots overlap" => header.Slot(2, 40, 512 + 499),
            "slots the same" => header.Slot(6, 40, 8),
            _ => throw new ArgumentException(what),
        };
    }
}
