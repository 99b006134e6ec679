namespace Qcow2.Engine.Nbd;

/// <summary>Pieces of one buffer that are sent one after the other. What lies side by side is one piece.</summary>
internal sealed class NbdSegments
{
    private readonly List<(int Start, int Length)> _pieces = [];

    internal byte[] Buffer { get; private set; } = [];

    internal int Count => _pieces.Count;

    internal (int Start, int Length) this[int index] => _pieces[index];

    internal void Begin(byte[] buffer)
    {
        Buffer = buffer;
        _pieces.Clear();
    }

    internal void Add(int start, int length)
    {
        if (_pieces.Count > 0 && _pieces[_pieces.Count - 1] is var last && last.Start + last.Length == start)
        {
            _pieces[_pieces.Count - 1] = (last.Start, last.Length + length);
        }
        else
        {
            _pieces.Add((start, length));
        }
    }
}
