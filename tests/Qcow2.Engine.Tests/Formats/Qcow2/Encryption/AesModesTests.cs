using System.Security.Cryptography;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class AesModesTests
{
    private const string NistPlaintext =
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

    // NIST SP 800-38A, F.5.1, F.5.3 and F.5.5.
    [Theory]
    [InlineData(
        "2b7e151628aed2a6abf7158809cf4f3c",
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee")]
    [InlineData(
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e941e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050")]
    [InlineData(
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6")]
    public void Counter_vectors_of_SP_800_38A(string key, string ciphertext)
    {
        using var cipher = new AesCtrCipher(Convert.FromHexString(key), new FixedIvGenerator(Convert.FromHexString("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")));
        byte[] data = new byte[1024];
        Convert.FromHexString(NistPlaintext).CopyTo(data, 0);
        Convert.FromHexString(NistPlaintext).CopyTo(data, 512);
        byte[] plain = [.. data];

        cipher.Encrypt(0, data);
        Assert.Equal(ciphertext, Convert.ToHexStringLower(data.AsSpan(0, 64)));
        Assert.Equal(ciphertext, Convert.ToHexStringLower(data.AsSpan(512, 64)));
        cipher.Decrypt(0, data);
        Assert.Equal(plain, data);
    }

    [Fact]
    public void A_counter_carries_through_all_of_its_bits()
    {
        byte[] key = TestData.Random(16);
        using var cipher = new AesCtrCipher(key, new FixedIvGenerator(Convert.FromHexString("00000000000000ffffffffffffffffff")));
        byte[] stream = new byte[512];
        cipher.Encrypt(0, stream);

        using var aes = Aes.Create();
        aes.Key = key;
        Assert.Equal(aes.EncryptEcb(Convert.FromHexString("00000000000001000000000000000000"), PaddingMode.None), stream[16..32]);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(24)]
    [InlineData(32)]
    public void Blocks_alone_are_those_of_AES(int keyLength)
    {
        byte[] key = TestData.Random(keyLength);
        byte[] plain = TestData.Random(300 * 512, seed: 2);
        byte[] data = [.. plain];
        using var cipher = new AesEcbCipher(key);
        using var aes = Aes.Create();
        aes.Key = key;

        cipher.Encrypt(7, data);
        Assert.Equal(aes.EncryptEcb(plain, PaddingMode.None), data);
        cipher.Decrypt(9, data);
        Assert.Equal(plain, data);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(33, 5)]
    [InlineData(300, ulong.MaxValue - 100)]
    public void Batches_are_what_one_sector_after_the_other_gives(int sectors, ulong firstSector)
    {
        byte[] key = TestData.Random(32);
        byte[] plain = TestData.Random(sectors * 512, seed: 2);
        using var cipher = new AesCtrCipher(key, CounterIvGenerator.Plain64);
        byte[] whole = [.. plain];
        cipher.Encrypt(firstSector, whole);
        for (int i = 0; i < sectors; i++)
        {
            byte[] one = plain[(i * 512)..((i + 1) * 512)];
            cipher.Encrypt(unchecked(firstSector + (ulong)i), one);
            Assert.Equal(one, whole[(i * 512)..((i + 1) * 512)]);
        }
    }
}
