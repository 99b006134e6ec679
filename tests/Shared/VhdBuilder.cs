using System.Buffers.Binary;
using System.Text;

namespace Qcow2.Tests;

/// <summary>Makes VHD files byte by byte, by the specification and without the engine, in any state that a test wants.</summary>
public sealed class VhdBuilder
{
    public const int Sector = 512;
    public const int FooterLength = 512;
    public const int HeaderLength = 1024;

    /// <summary>2 fixed, 3 dynamic, 4 differencing.</summary>
    public uint DiskType { get; init; } = 3;

    public long Size { get; init; } = 10 << 20;

    public int BlockSize { get; init; } = 2 << 20;

    public string Creator { get; init; } = "win ";

    public byte[] UniqueId { get; init; } = [.. Enumerable.Range(1, 16).Select(i => (byte)i)];

    public uint TimeStamp { get; init; } = 1000;

    public byte[] ParentId { get; init; } = new byte[16];

    public uint ParentTime { get; init; }

    public string ParentName { get; init; } = "";

    /// <summary>Platform code and text of each locator.</summary>
    public List<(string Platform, string Text)> Locators { get; } = [];

    /// <summary>Entries of the table beyond those that the disk needs.</summary>
    public int SpareEntries { get; init; }

    /// <summary>A footer of 511 bytes, as Virtual PC once wrote it.</summary>
    public bool IsFooterShort { get; init; }

    public bool HasTrailingFooter { get; init; } = true;

    public bool HasLeadingFooter { get; init; } = true;

    /// <summary>The disk's bytes of a fixed one.</summary>
    public byte[] Content { get; init; } = [];

    /// <summary>The blocks that are in the file, in its order: number, bitmap (a bit each sector, padded) and data.</summary>
    public List<(int Number, byte[] Bitmap, byte[] Data)> Blocks { get; } = [];

    /// <summary>Changes the footer before its check sum is made.</summary>
    public Action<byte[]>? EditFooter { get; init; }

    /// <summary>Changes the dynamic disk header before its check sum is made.</summary>
    public Action<byte[]>? EditHeader { get; init; }

    /// <summary>Changes the table.</summary>
    public Action<byte[]>? EditTable { get; init; }

    public int TableOffset => FooterLength + HeaderLength + (Locators.Count * Sector);

    public int BlockCount => (int)((Size + BlockSize - 1) / BlockSize);

    public int BitmapBytes => RoundUp(((BlockSize / Sector) + 7) / 8);

    /// <summary>Where the blocks begin.</summary>
    public int FirstBlock => TableOffset + RoundUp((BlockCount + SpareEntries) * 4);

    public static void Seal(byte[] bytes, int position)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(position), 0);
        uint sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(position), ~sum);
    }

    public byte[] Build()
    {
        byte[] footer = MakeFooter();
        byte[] last = footer[..(IsFooterShort ? FooterLength - 1 : FooterLength)];
        byte[] body = DiskType == 2 ? Content : MakeSparse(footer);
        return HasTrailingFooter ? [.. body, .. last] : body;
    }

    public byte[] MakeFooter()
    {
        byte[] footer = new byte[FooterLength];
        "conectix"u8.CopyTo(footer);
        U32(footer, 8, 2);
        U32(footer, 12, 0x0001_0000);
        U64(footer, 16, DiskType == 2 ? ulong.MaxValue : FooterLength);
        U32(footer, 24, TimeStamp);
        Encoding.ASCII.GetBytes(Creator).CopyTo(footer, 28);
        U32(footer, 32, 0x000a_0000);
        "Wi2k"u8.CopyTo(footer.AsSpan(36));
        U64(footer, 40, (ulong)Size);
        U64(footer, 48, (ulong)Size);
        footer[57] = 100;
        footer[58] = 4;
        footer[59] = 17;
        U32(footer, 60, DiskType);
        UniqueId.CopyTo(footer, 68);
        EditFooter?.Invoke(footer);
        Seal(footer, 64);
        return footer;
    }

    private byte[] MakeSparse(byte[] footer)
    {
        byte[] file = new byte[FirstBlock + (Blocks.Count * (BitmapBytes + BlockSize))];
        if (HasLeadingFooter)
        {
            footer.CopyTo(file, 0);
        }

        byte[] header = MakeHeader();
        header.CopyTo(file, FooterLength);
        for (int i = 0; i < Locators.Count; i++)
        {
            Encoding.Unicode.GetBytes(Locators[i].Text).CopyTo(file, FooterLength + HeaderLength + (i * Sector));
        }

        byte[] table = new byte[FirstBlock - TableOffset];
        table.AsSpan().Fill(0xff);
        int offset = FirstBlock;
        foreach ((int number, byte[] bitmap, byte[] data) in Blocks)
        {
            U32(table, number * 4, (uint)(offset / Sector));
            bitmap.CopyTo(file, offset);
            data.CopyTo(file, offset + BitmapBytes);
            offset += BitmapBytes + BlockSize;
        }

        EditTable?.Invoke(table);
        table.CopyTo(file, TableOffset);
        return file;
    }

    private byte[] MakeHeader()
    {
        byte[] header = new byte[HeaderLength];
        "cxsparse"u8.CopyTo(header);
        U64(header, 8, ulong.MaxValue);
        U64(header, 16, (ulong)TableOffset);
        U32(header, 24, 0x0001_0000);
        U32(header, 28, (uint)(BlockCount + SpareEntries));
        U32(header, 32, (uint)BlockSize);
        ParentId.CopyTo(header, 40);
        U32(header, 56, ParentTime);
        Encoding.BigEndianUnicode.GetBytes(ParentName).CopyTo(header, 64);
        for (int i = 0; i < Locators.Count; i++)
        {
            int position = 576 + (i * 24);
            Encoding.ASCII.GetBytes(Locators[i].Platform).CopyTo(header, position);
            U32(header, position + 4, Sector);
            U32(header, position + 8, (uint)(Locators[i].Text.Length * 2));
            U64(header, position + 16, (ulong)(FooterLength + HeaderLength + (i * Sector)));
        }

        EditHeader?.Invoke(header);
        Seal(header, 36);
        return header;
    }

    public static void U32(byte[] bytes, int position, uint value) => BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(position), value);

    public static void U64(byte[] bytes, int position, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(position), value);

    private static int RoundUp(int bytes) => (bytes + Sector - 1) / Sector * Sector;
}
