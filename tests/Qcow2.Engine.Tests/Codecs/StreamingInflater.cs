namespace Qcow2.Engine.Tests.Codecs;

/// <summary>zlib with a window of a given size, which gets and gives one byte at a time, and so knows no more than its window.</summary>
internal static unsafe class StreamingInflater
{
    /// <summary>Inflates raw deflate; null if zlib refuses it.</summary>
    internal static byte[]? Inflate(byte[] stream, int windowBits)
    {
        var output = new List<byte>();
        NativeInflate.Stream state = default;
        Assert.Equal(0, NativeInflate.Init(&state, -windowBits));
        try
        {
            byte input;
            byte value;
            int result = 0;
            for (int next = 0; result != 1;)
            {
                if (state.AvailableIn == 0 && next < stream.Length)
                {
                    input = stream[next++];
                    state.NextIn = &input;
                    state.AvailableIn = 1;
                }

                state.NextOut = &value;
                state.AvailableOut = 1;
                result = NativeInflate.Run(&state, 0);
                if (result is not 0 and not 1)
                {
                    return null;
                }

                if (state.AvailableOut == 0)
                {
                    output.Add(value);
                }
            }

            return [.. output];
        }
        finally
        {
            _ = NativeInflate.End(&state);
        }
    }
}
