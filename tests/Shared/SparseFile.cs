namespace Qcow2.Tests;

/// <summary>Writes files whose blocks of zeros take no space.</summary>
public static class SparseFile
{
    private const int BlockSize = 4096;

    /// <summary>Copies a stream to a new file and skips the blocks that hold only zeros.</summary>
    public static void Write(Stream source, string path)
    {
        using FileStream target = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1);
        byte[] block = new byte[BlockSize];
        long length = 0;
        int read;
        while ((read = source.ReadAtLeast(block, BlockSize, throwOnEndOfStream: false)) > 0)
        {
            if (block.AsSpan(0, read).ContainsAnyExcept((byte)0))
            {
                target.Position = length;
                target.Write(block, 0, read);
            }

            length += read;
        }

        target.SetLength(length);
    }
}
