using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>The signs of a picture. Without any colour they tell kinds and layers apart.</summary>
/// <param name="Data">A part with data.</param>
/// <param name="SomeData">A part of which less than half is stored, mostly data.</param>
/// <param name="Compressed">A part with compressed data.</param>
/// <param name="SomeCompressed">A part of which less than half is stored, mostly compressed.</param>
/// <param name="Zero">A part that a file says is zeros.</param>
/// <param name="Free">A part that no file has.</param>
internal sealed record PictureSigns(char Data, char SomeData, char Compressed, char SomeCompressed, char Zero, char Free)
{
    /// <summary>Layers have digits and letters from 1 to 9; what lies deeper shares the last.</summary>
    private const int LastOwnDepth = 9;

    /// <summary>Signs that the code pages of Western consoles have, too.</summary>
    internal static PictureSigns Blocks { get; } = new('█', '▄', '▓', '▒', '░', '·');

    /// <summary>Signs that every encoding has.</summary>
    internal static PictureSigns Ascii { get; } = new('#', '+', '%', '-', 'o', '.');

    /// <summary>The signs for a place where text is encoded somehow.</summary>
    /// <param name="encoding">How; null if that is not known.</param>
    internal static PictureSigns For(System.Text.Encoding? encoding)
    {
        string all = string.Concat(Blocks.Data, Blocks.SomeData, Blocks.Compressed, Blocks.SomeCompressed) + Blocks.Zero + Blocks.Free;
        return encoding is null || encoding.GetString(encoding.GetBytes(all)) == all ? Blocks : Ascii;
    }

    /// <summary>The sign of a part of the disk, whichever files have it.</summary>
    /// <param name="cell">The part.</param>
    internal char Of(AllocationCell cell)
    {
        long stored = cell.Shares.Sum(share => share.DataBytes + share.CompressedBytes);
        if (stored == 0)
        {
            return cell.Shares.Count > 0 ? Zero : Free;
        }

        AllocationShare most = cell.Shares.OrderByDescending(share => Math.Max(share.DataBytes, share.CompressedBytes)).ThenBy(share => share.Depth).First();
        return Stored(most.Depth, most.CompressedBytes > most.DataBytes, IsSome(stored, cell));
    }

    /// <summary>The sign of a part in the row of one file.</summary>
    /// <param name="cell">The part.</param>
    /// <param name="depth">The file.</param>
    internal char Of(AllocationCell cell, int depth)
    {
        AllocationShare share = cell.Shares.FirstOrDefault(one => one.Depth == depth);
        long stored = share.DataBytes + share.CompressedBytes;
        return share.Bytes == 0 ? cell.Shares.Count > 0 ? ' ' : Free
            : stored == 0 ? Zero
            : Stored(0, share.CompressedBytes > share.DataBytes, IsSome(stored, cell));
    }

    /// <summary>The sign for what a file stores.</summary>
    /// <param name="depth">The file: 0 for the image itself.</param>
    /// <param name="isCompressed">Whether it is compressed.</param>
    /// <param name="isSome">Whether less than half is stored, which signs of the image itself show.</param>
    internal char Stored(int depth, bool isCompressed, bool isSome) => (depth, isCompressed) switch
    {
        (0, false) => isSome ? SomeData : Data,
        (0, true) => isSome ? SomeCompressed : Compressed,
        (_, false) => (char)('0' + Math.Min(depth, LastOwnDepth)),
        (_, true) => (char)('a' + Math.Min(depth, LastOwnDepth) - 1),
    };

    /// <summary>Which file a sign is about; null for signs that are about none.</summary>
    /// <param name="sign">The sign.</param>
    internal static int? DepthOf(char sign) => sign switch
    {
        >= '1' and <= '9' => sign - '0',
        >= 'a' and <= 'i' => sign - 'a' + 1,
        '░' or '·' or 'o' or '.' or ' ' => null,
        _ => 0,
    };

    private static bool IsSome(long stored, AllocationCell cell) => stored < cell.Length - stored;
}
