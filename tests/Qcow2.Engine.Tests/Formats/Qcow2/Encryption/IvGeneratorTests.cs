using System.Security.Cryptography;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class IvGeneratorTests
{
    [Fact]
    public void Plain64_is_the_whole_number_little_endian()
        => Assert.Equal(
            "feffffff000000000000000000000000" + "ffffffff000000000000000000000000" + "00000000010000000000000000000000",
            Fill(CounterIvGenerator.Plain64, 0xFFFFFFFE, 3));

    [Fact]
    public void Plain_begins_again_after_32_bits()
        => Assert.Equal(
            "feffffff000000000000000000000000" + "ffffffff000000000000000000000000" + "00000000000000000000000000000000",
            Fill(CounterIvGenerator.Plain, 0xFFFFFFFE, 3));

    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    public void Essiv_encrypts_the_number_under_the_digest_of_the_whole_key(int keyLength)
    {
        byte[] key = TestData.Random(keyLength);
        using var essiv = new EssivIvGenerator(key, LuksHash.Resolve("sha256", "test"));

        using var aes = Aes.Create();
        aes.Key = SHA256.HashData(key);
        byte[] numbers = Convert.FromHexString(Fill(CounterIvGenerator.Plain64, 1UL << 33, 5));

        Assert.Equal(Convert.ToHexStringLower(aes.EncryptEcb(numbers, PaddingMode.None)), Fill(essiv, 1UL << 33, 5));
    }

    [Fact]
    public void Only_the_asked_for_vectors_are_written()
    {
        byte[] buffer = new byte[64];
        buffer.AsSpan().Fill(0xEE);

        CounterIvGenerator.Plain64.Fill(1, buffer, 16, 2);

        Assert.Equal(
            "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" + "01000000000000000000000000000000" + "02000000000000000000000000000000" + "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
            Convert.ToHexStringLower(buffer));
    }

    private static string Fill(IvGenerator generator, ulong firstSector, int sectors)
    {
        byte[] buffer = new byte[sectors * IvGenerator.IvSize];
        generator.Fill(firstSector, buffer, 0, sectors);
        return Convert.ToHexStringLower(buffer);
    }
}
