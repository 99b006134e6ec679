using Qcow2.Engine.Work;

namespace Qcow2.Engine.Tests.Work;

public sealed class OrderedPipelineTests
{
    public enum WorkStep
    {
        Fill,
        Prepare,
        Place,
        Finish,
    }

    public static TheoryData<int, WorkStep> Failures
    {
        get
        {
            var failures = new TheoryData<int, WorkStep>();
            foreach (int threads in (int[])[1, 2, 7, 16])
            {
                foreach (WorkStep step in Enum.GetValues<WorkStep>())
                {
                    failures.Add(threads, step);
                }
            }

            return failures;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(16)]
    public void Parcels_are_placed_in_order_and_all_finished(int threads)
    {
        var pipeline = new Pipeline(300, (_, number) => Thread.Sleep((number * 7919) % 3));

        pipeline.Run(threads);

        Assert.Equal(Enumerable.Range(0, 300), pipeline.Placed);
        Assert.Equal(Enumerable.Range(0, 300), pipeline.Finished.Order());
        Assert.Empty(pipeline.Abandoned);
        Assert.InRange(pipeline.MostAtOnce, 1, (2 * threads) + 1);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 1)]
    [InlineData(8, 3)]
    public void No_more_threads_finish_at_once_than_may(int threads, int limit)
    {
        int finishing = 0;
        int most = 0;
        var pipeline = new Pipeline(200, (step, _) =>
        {
            if (step == WorkStep.Finish)
            {
                int now = Interlocked.Increment(ref finishing);
                most = Math.Max(most, now);
                Thread.Yield();
                Interlocked.Decrement(ref finishing);
            }
        })
        {
            FinishingLimit = limit,
        };

        pipeline.Run(threads);

        Assert.Equal(Enumerable.Range(0, 200), pipeline.Finished.Order());
        Assert.InRange(most, 1, limit);
    }

    [Theory, MemberData(nameof(Failures))]
    public void Failure_stops_all_and_gives_up_what_was_placed(int threads, WorkStep failing)
    {
        for (int at = 0; at < 20; at += 3)
        {
            int wanted = at;
            var pipeline = new Pipeline(100, (step, number) =>
            {
                if (step == failing && number == wanted)
                {
                    throw new InvalidOperationException("Fault.");
                }

                Thread.Yield();
            });

            Assert.Equal("Fault.", Assert.Throws<InvalidOperationException>(() => pipeline.Run(threads)).Message);

            // What failed while it was placed may have been placed in part.
            IEnumerable<int> unfinished = pipeline.Placed.Except(pipeline.Finished);
            Assert.Equal((failing == WorkStep.Place ? unfinished.Append(wanted) : unfinished).Order(), pipeline.Abandoned.Order());
            Assert.True(pipeline.WasStopped);
        }
    }

    [Fact]
    public void Failure_of_giving_up_hides_neither_the_first_one_nor_the_other_parcels()
    {
        var pipeline = new Pipeline(50, (step, number) =>
        {
            if (step == WorkStep.Place && number == 8)
            {
                throw new InvalidOperationException("The first.");
            }

            if (step == WorkStep.Finish)
            {
                throw new InvalidOperationException("The first.");
            }
        })
        {
            FailsToAbandon = true,
        };

        Assert.Equal("The first.", Assert.Throws<InvalidOperationException>(() => pipeline.Run(4)).Message);
        Assert.NotEmpty(pipeline.Abandoned);
        Assert.Equal(pipeline.Placed.Except(pipeline.Finished).Order(), pipeline.Abandoned.Where(number => number != 8).Order());
    }

    private sealed class Parcel
    {
        internal int Number { get; set; }
    }

    private sealed class Pipeline(int count, Action<WorkStep, int> onStep) : OrderedPipeline<Parcel>
    {
        private int _next;
        private int _inUse;

        internal List<int> Placed { get; } = [];

        internal List<int> Finished { get; } = [];

        internal List<int> Abandoned { get; } = [];

        internal bool FailsToAbandon { get; init; }

        internal int FinishingLimit { get; init; } = int.MaxValue;

        internal bool WasStopped { get; private set; }

        internal int MostAtOnce { get; private set; }

        protected override int MaxFinishing => FinishingLimit;

        internal void Run(int threads) => Run(threads, Enumerable.Range(0, (2 * threads) + 1).Select(_ => new Parcel()));

        protected override bool TryFill(Parcel parcel)
        {
            if (_next == count)
            {
                return false;
            }

            onStep(WorkStep.Fill, _next);
            parcel.Number = _next++;
            lock (Finished)
            {
                MostAtOnce = Math.Max(MostAtOnce, ++_inUse);
            }

            return true;
        }

        protected override void Prepare(Parcel parcel) => onStep(WorkStep.Prepare, parcel.Number);

        protected override void Place(Parcel parcel)
        {
            onStep(WorkStep.Place, parcel.Number);
            Placed.Add(parcel.Number);
        }

        protected override void Finish(Parcel parcel)
        {
            onStep(WorkStep.Finish, parcel.Number);
            lock (Finished)
            {
                Finished.Add(parcel.Number);
                _inUse--;
            }
        }

        protected override void Abandon(Parcel parcel)
        {
            Abandoned.Add(parcel.Number);
            if (FailsToAbandon)
            {
                throw new IOException("Another.");
            }
        }

        protected override void OnStopped() => WasStopped = true;
    }
}
