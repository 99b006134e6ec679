using System.Buffers.Binary;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>Damages sound images at random: fields of tables set to values that are likely to hurt, bits flipped, the file cut off.</summary>
internal sealed class ImageMutator
{
    private const int LargestImage = 4 << 20;
    private static readonly Lazy<byte[][]> Seeds = new(LoadSeeds);

    private readonly Random _random;

    internal ImageMutator(int seed) => _random = new Random(seed);

    /// <summary>A damaged image.</summary>
    internal byte[] Next()
    {
        byte[] image = [.. Seeds.Value[_random.Next(Seeds.Value.Length)]];
        int[] words = FieldsOf(image);
        for (int i = _random.Next(1, 9); i > 0; i--)
        {
            Mutate(ref image, words);
        }

        return image;
    }

    private static byte[][] LoadSeeds() =>
    [
        .. Fixtures.All.Where(fixture => fixture.Error is null && fixture.Passphrase is null && new FileInfo(fixture.Path).Length <= LargestImage)
            .Select(fixture => File.ReadAllBytes(fixture.Path)),
        .. CorruptionCases.All.Select(made => made.Make().Bytes).Where(bytes => bytes.Length <= LargestImage),
    ];

    /// <summary>Where words of 8 bytes that are not zero lie outside of long runs of data: tables, mostly.</summary>
    private static int[] FieldsOf(byte[] image)
    {
        var fields = new List<int>();
        for (int offset = 0; offset + 8 <= image.Length; offset += 8)
        {
            ulong value = BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(offset));
            if (offset < 512 || (value != 0 && (value & 0x3fff_ffff_0000_0000) == 0) || (value >> 48 is > 0 and < 0x100))
            {
                fields.Add(offset);
            }
        }

        return [.. fields];
    }

    private void Mutate(ref byte[] image, int[] fields)
    {
        int at = Math.Min(fields[_random.Next(fields.Length)], Math.Max(0, image.Length - 8));
        if (image.Length < 512)
        {
            return;
        }

        Span<byte> field = image.AsSpan(at, 8);
        switch (_random.Next(12))
        {
            case 0:
                image = image[.._random.Next(100, image.Length)];
                break;
            case 1:
                image = [.. image, .. new byte[_random.Next(1, 200_000)]];
                break;
            case 2 or 3:
                field[_random.Next(8)] ^= (byte)(1 << _random.Next(8));
                break;
            case 4:
                BinaryPrimitives.WriteUInt32BigEndian(field.Slice(_random.Next(2) * 4), Boundary32());
                break;
            case 5 or 6:
                BinaryPrimitives.WriteUInt64BigEndian(field, Boundary64(image.Length));
                break;
            case 7:
                image.AsSpan(Math.Min(fields[_random.Next(fields.Length)], image.Length - 8), 8).CopyTo(field);
                break;
            case 8:
                int from = Math.Min(fields[_random.Next(fields.Length)], image.Length - 8) & ~511;
                int length = Math.Min(512, image.Length - Math.Max(from, at & ~511));
                image.AsSpan(from, length).CopyTo(image.AsSpan(at & ~511, length));
                break;
            case 9:
                _random.NextBytes(field.Slice(_random.Next(8)));
                break;
            case 10:
                BinaryPrimitives.WriteUInt16BigEndian(field.Slice(2 * _random.Next(4)), (ushort)_random.Next(5));
                break;
            default:
                image[_random.Next(112)] ^= (byte)(1 << _random.Next(8));
                break;
        }
    }

    private uint Boundary32() => _random.Next(6) switch
    {
        0 => 0,
        1 => 1,
        2 => uint.MaxValue,
        3 => int.MaxValue,
        4 => (uint)_random.Next(100_000),
        _ => 1u << _random.Next(32),
    };

    private ulong Boundary64(int length)
    {
        ulong flags = (ulong)_random.Next(4) << 62;
        return flags | _random.Next(8) switch
        {
            0 => 0UL,
            1 => ulong.MaxValue >> _random.Next(64),
            2 => (uint)(length & ~511),
            3 => (uint)((length - 1) & ~4095),
            4 => (uint)_random.Next(length) & ~511U,
            5 => (uint)_random.Next(length) & ~65535U,
            6 => (uint)_random.Next(length),
            _ => 1UL << _random.Next(64),
        };
    }
}
