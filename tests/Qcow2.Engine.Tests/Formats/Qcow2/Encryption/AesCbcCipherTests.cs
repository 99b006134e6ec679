using System.Buffers.Binary;
using System.Security.Cryptography;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class AesCbcCipherTests
{
    private const string NistPlaintext =
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

    // NIST SP 800-38A, F.2.1, F.2.3 and F.2.5: 64 bytes, which here begin a sector.
    [Theory]
    [InlineData(
        "2b7e151628aed2a6abf7158809cf4f3c",
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7")]
    [InlineData(
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd")]
    [InlineData(
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b")]
    public void Vectors_of_SP_800_38A(string key, string ciphertext)
    {
        byte[] iv = Convert.FromHexString("000102030405060708090a0b0c0d0e0f");
        using var cipher = new AesCbcCipher(Convert.FromHexString(key), new FixedIvGenerator(iv));
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

    [Theory]
    [InlineData(16, 1, 0)]
    [InlineData(24, 63, 9)]
    [InlineData(32, 64, 0xFFFFFFF0)]
    [InlineData(32, 65, 1UL << 41)]
    [InlineData(32, 300, ulong.MaxValue - 100)]
    public void Batches_are_what_one_sector_after_the_other_gives(int keyLength, int sectors, ulong firstSector)
    {
        byte[] key = TestData.Random(keyLength);
        byte[] plain = TestData.Random(sectors * 512, seed: 2);
        using var cipher = new AesCbcCipher(key, CounterIvGenerator.Plain64);

        byte[] data = [.. plain];
        cipher.Encrypt(firstSector, data);
        Assert.Equal(Reference(key, firstSector, plain), data);

        cipher.Decrypt(firstSector, data);
        Assert.Equal(plain, data);
    }

    [Fact]
    public void Half_a_sector_is_refused()
    {
        using var cipher = new AesCbcCipher(new byte[16], CounterIvGenerator.Plain64);

        Assert.Throws<ArgumentException>(() => cipher.Decrypt(0, new byte[768]));
        Assert.Throws<ArgumentException>(() => cipher.Encrypt(0, new byte[16]));
    }

    [Theory]
    [InlineData("", "00000000000000000000000000000000")]
    [InlineData("letmein", "6c65746d65696e000000000000000000")]
    [InlineData("exactly 16 bytes", "65786163746c79203136206279746573")]
    [InlineData("seventeen bytes !", "736576656e7465656e20627974657320")]
    public void The_legacy_method_pads_or_cuts_the_passphrase_to_16_bytes(string text, string key)
    {
        byte[] plain = TestData.Random(3 * 512);
        using var passphrase = Passphrase.FromString(text);
        using SectorCipher cipher = LegacyAesCipher.Create(passphrase);

        byte[] data = [.. plain];
        cipher.Encrypt(77, data);

        Assert.Equal(Reference(Convert.FromHexString(key), 77, plain), data);
    }

    private static byte[] Reference(byte[] key, ulong firstSector, byte[] plain)
    {
        using var aes = Aes.Create();
        aes.Key = key;
        byte[] result = new byte[plain.Length];
        for (int sector = 0; sector < plain.Length / 512; sector++)
        {
            byte[] iv = new byte[16];
            BinaryPrimitives.WriteUInt64LittleEndian(iv, unchecked(firstSector + (ulong)sector));
            aes.EncryptCbc(plain.AsSpan(sector * 512, 512), iv, result.AsSpan(sector * 512, 512), PaddingMode.None);
        }

        return result;
    }
}
