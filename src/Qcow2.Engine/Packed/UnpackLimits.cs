namespace Qcow2.Engine.Packed;

/// <summary>What a small file may become: someone may have packed 10 TB of zeros into some MB.</summary>
internal static class UnpackLimits
{
    /// <summary>What it may become unless somebody says otherwise.</summary>
    internal const long DefaultMaximumSize = 2L << 40;

    /// <summary>Refuses what holds too much.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">Bytes that it holds, or that came out so far.</param>
    /// <param name="most">What it may hold.</param>
    internal static void Ensure(string path, long length, long most)
    {
        if (length > most)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.UnpackedTooLarge, $"What is packed here has more than {most} bytes unpacked, which is the most that is allowed.").At(path);
        }
    }
}
