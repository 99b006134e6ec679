using System.Buffers.Binary;
using System.Security.Cryptography;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class AesXtsCipherTests
{
    public static TheoryData<int, string, ulong, string, string> SectorVectors => new()
    {
        { 4, IeeeXtsVectors.Key128, 0, IeeeXtsVectors.Plaintext, IeeeXtsVectors.Ciphertext4 },
        { 5, IeeeXtsVectors.Key128, 1, IeeeXtsVectors.Ciphertext4, IeeeXtsVectors.Ciphertext5 },
        { 10, IeeeXtsVectors.Key256, 0xFF, IeeeXtsVectors.Plaintext, IeeeXtsVectors.Ciphertext10 },
        { 12, IeeeXtsVectors.Key256, 0xFFFFFF, IeeeXtsVectors.Plaintext, IeeeXtsVectors.Ciphertext12 },
        { 14, IeeeXtsVectors.Key256, 0xFFFFFFFFFF, IeeeXtsVectors.Plaintext, IeeeXtsVectors.Ciphertext14 },
    };

    [Theory]
    [MemberData(nameof(SectorVectors))]
    public void Vectors_of_IEEE_1619(int number, string key, ulong sector, string plaintext, string ciphertext)
    {
        _ = number;
        using var cipher = new AesXtsCipher(Convert.FromHexString(key), CounterIvGenerator.Plain64);
        byte[] data = Convert.FromHexString(plaintext);

        cipher.Encrypt(sector, data);
        Assert.Equal(ciphertext, Convert.ToHexStringLower(data));

        cipher.Decrypt(sector, data);
        Assert.Equal(plaintext, Convert.ToHexStringLower(data));
    }

    // Vectors 1 to 3 encrypt 32 bytes. In XTS those are the beginning of a sector that begins with the same plaintext.
    [Theory]
    [InlineData(
        "0000000000000000000000000000000000000000000000000000000000000000", 0, 0x00,
        "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e")]
    [InlineData(
        "1111111111111111111111111111111122222222222222222222222222222222", 0x3333333333, 0x44,
        "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0")]
    [InlineData(
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f022222222222222222222222222222222", 0x3333333333, 0x44,
        "af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89")]
    public void Short_vectors_of_IEEE_1619_begin_a_sector(string key, ulong sector, byte plaintext, string ciphertext)
    {
        using var cipher = new AesXtsCipher(Convert.FromHexString(key), CounterIvGenerator.Plain64);
        byte[] data = new byte[512];
        data.AsSpan().Fill(plaintext);

        cipher.Encrypt(sector, data);

        Assert.Equal(ciphertext, Convert.ToHexStringLower(data.AsSpan(0, 32)));
    }

    [Theory]
    [InlineData(32, 1, 0)]
    [InlineData(48, 31, 7)]
    [InlineData(64, 32, 0xFFFFFFF0)]
    [InlineData(64, 33, 1UL << 41)]
    [InlineData(64, 200, ulong.MaxValue - 100)]
    public void Batches_are_what_one_sector_after_the_other_gives(int keyLength, int sectors, ulong firstSector)
    {
        byte[] key = TestData.Random(keyLength);
        byte[] plain = TestData.Random(sectors * 512, seed: 2);
        using var cipher = new AesXtsCipher(key, CounterIvGenerator.Plain64);

        byte[] data = [.. plain];
        cipher.Encrypt(firstSector, data);
        Assert.Equal(Reference(key, firstSector, plain), data);

        cipher.Decrypt(firstSector, data);
        Assert.Equal(plain, data);
    }

    [Fact]
    public void Many_threads_share_one_cipher()
    {
        byte[] plain = TestData.Random(40 * 512);
        using var cipher = new AesXtsCipher(TestData.Random(64), CounterIvGenerator.Plain64);
        byte[] encrypted = [.. plain];
        cipher.Encrypt(5, encrypted);

        Parallel.For(0, 400, _ =>
        {
            byte[] data = [.. encrypted];
            cipher.Decrypt(5, data);
            Assert.Equal(plain, data);
            cipher.Encrypt(5, data);
            Assert.Equal(encrypted, data);
        });
    }

    [Fact]
    public void Half_a_sector_is_refused()
    {
        using var cipher = new AesXtsCipher(new byte[64], CounterIvGenerator.Plain64);

        Assert.Throws<ArgumentException>(() => cipher.Decrypt(0, new byte[768]));
        Assert.Throws<ArgumentException>(() => cipher.Encrypt(0, new byte[16]));
    }

    [Fact]
    public void No_sectors_are_fine()
    {
        using var cipher = new AesXtsCipher(new byte[64], CounterIvGenerator.Plain64);

        cipher.Decrypt(0, []);
    }

    [Fact]
    public void A_disposed_cipher_refuses_rather_than_encrypt_with_a_cleared_key()
    {
        var cipher = new AesXtsCipher(TestData.Random(64), CounterIvGenerator.Plain64);
        cipher.Encrypt(0, new byte[512]);
        cipher.Dispose();

        Assert.Throws<ObjectDisposedException>(() => cipher.Encrypt(0, new byte[512]));
        Assert.Throws<ObjectDisposedException>(() => cipher.Decrypt(0, new byte[512]));
    }

    // The textbook's loop, block by block.
    private static byte[] Reference(byte[] key, ulong firstSector, byte[] plain)
    {
        using var data = Aes.Create();
        data.Key = key[..(key.Length / 2)];
        using var tweaks = Aes.Create();
        tweaks.Key = key[(key.Length / 2)..];

        byte[] result = new byte[plain.Length];
        for (int sector = 0; sector < plain.Length / 512; sector++)
        {
            byte[] number = new byte[16];
            BinaryPrimitives.WriteUInt64LittleEndian(number, unchecked(firstSector + (ulong)sector));
            byte[] tweak = tweaks.EncryptEcb(number, PaddingMode.None);
            for (int at = sector * 512; at < (sector + 1) * 512; at += 16)
            {
                byte[] block = plain[at..(at + 16)];
                byte[] encrypted = data.EncryptEcb(Xor(block, tweak), PaddingMode.None);
                Xor(encrypted, tweak).CopyTo(result, at);
                tweak = TimesX(tweak);
            }
        }

        return result;
    }

    private static byte[] Xor(byte[] left, byte[] right) => [.. left.Zip(right, (a, b) => (byte)(a ^ b))];

    private static byte[] TimesX(byte[] tweak)
    {
        byte[] next = new byte[16];
        int carry = 0;
        for (int i = 0; i < 16; i++)
        {
            next[i] = (byte)((tweak[i] << 1) | carry);
            carry = tweak[i] >> 7;
        }

        next[0] ^= (byte)(carry * 0x87);
        return next;
    }
}
